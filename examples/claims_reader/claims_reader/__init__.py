"""The pilot: reads the handwritten amount on a claim form."""
