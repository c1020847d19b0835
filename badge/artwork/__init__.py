"""Badges as bytes. Pure: the same badge gives the same bytes, always."""
