"""Keeps one failing part from taking the others down."""
