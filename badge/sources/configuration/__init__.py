"""Reads and checks `sources.toml`, and builds its sources."""
