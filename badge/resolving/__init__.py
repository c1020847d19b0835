"""From a subject to a resolution: cache, leases, limits and fetches."""
