"""The edge: an ASGI application in front of Flask.

It caches badges, collapses identical requests, and keeps slow clients from occupying threads.
"""
