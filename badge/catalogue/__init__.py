"""The embedded backup API: what was reported to this service itself."""
