"""The watcher: notices changes of backups, and delivers messages about them."""
