"""Data contracts: read ODCS, compile rules, check a record."""
