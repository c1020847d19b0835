"""What keeps a failing part from taking others along; each module is usable alone."""
