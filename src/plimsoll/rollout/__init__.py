"""Releases: what is shipped, and its digest."""
