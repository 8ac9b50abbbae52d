"""One ASGI application in one or several worker processes, and how they begin and end."""

from plimsoll.server.run import Served, Serving, serve

__all__ = ["Served", "Serving", "serve"]
