"""Places to ask: backup APIs over HTTP."""
