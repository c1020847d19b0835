"""Receives reports about backups: the native contract and pings."""
