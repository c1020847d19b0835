"""The sources file: read, checked, and made into sources."""
