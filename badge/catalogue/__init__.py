"""The embedded backup API: stores what is reported to this service itself."""
