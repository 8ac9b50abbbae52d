"""Measuring from outside."""
