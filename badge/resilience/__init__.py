"""Keeps one failing part from taking the others down. Each module can be used on its own."""
