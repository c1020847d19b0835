"""Sources that implement the native contract."""
