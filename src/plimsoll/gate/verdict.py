"""Judge evidence (being written)."""
