"""`make bench`: performance relative to peers, measured side by side in one run."""
