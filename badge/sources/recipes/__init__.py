"""Recipes: declarative descriptions of how to ask a backup system for a status and how to read its answer."""
