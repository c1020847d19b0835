"""Where backups are reported: the native contract and pings."""
