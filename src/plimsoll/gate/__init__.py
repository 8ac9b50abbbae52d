"""Threshold x evidence -> verdict."""
