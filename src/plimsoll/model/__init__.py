"""Vocabulary: frozen records that cross a boundary."""
