"""Places to keep reports: Redis or Valkey, the embedded server for it, and the process itself."""
