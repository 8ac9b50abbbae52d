"""The HTTP surface of the guard: decisions in, answers out. It has no rules of its own."""

from plimsoll.api.routes import Api

__all__ = ["Api"]
