"""Sources that speak the native contract."""
