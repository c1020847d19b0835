"""Requests to upstreams, and their answers, under one deadline."""
