"""Plimsoll: the load line for AI systems."""
