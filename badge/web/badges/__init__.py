"""The badge routes."""
