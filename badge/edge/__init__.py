"""The edge: an ASGI application in front of Flask that caches and shares badges, and keeps slow clients off threads."""
