"""Status sources: backup APIs over HTTP, and JSON files."""
