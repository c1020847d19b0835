"""Channels: where messages are sent."""
