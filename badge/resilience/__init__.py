"""Keeps a failing part from taking others down; each module is usable alone."""
