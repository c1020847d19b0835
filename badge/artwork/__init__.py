"""Draws badges as SVG and PNG. SVG drawing is pure: the same badge always gives the same bytes."""
