"""Caches for reports: Redis or Valkey, the embedded server, and the memory of one process."""
