"""RFC 9162 trees (being written)."""
