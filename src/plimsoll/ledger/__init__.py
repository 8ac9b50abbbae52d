"""The append-only, tamper-evident record of everything that happened."""
