"""Statements in and out: keys, envelopes, statements, verification."""
