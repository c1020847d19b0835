"""What runs around the application: gunicorn's master and its worker class, reloads, systemd, the watcher's process."""
