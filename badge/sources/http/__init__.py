"""HTTP requests to upstreams, each with one deadline."""
