"""Signed checkpoints (being written)."""
