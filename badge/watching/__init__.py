"""The watcher: notices changes in backups' states, and delivers messages about them."""
