"""Bounds, one method a file, under its paper's name."""
