"""The cache in Redis or Valkey."""
