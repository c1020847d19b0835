"""The catalogue: our own store of reported runs."""
