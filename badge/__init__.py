"""Backup Status Badge: the last backup's status as an image."""

__version__ = "0.1.0"
