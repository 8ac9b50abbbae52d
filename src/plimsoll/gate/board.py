"""The board (being written)."""
