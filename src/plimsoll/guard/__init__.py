"""Around every decision: admit, call, tier, record, answer."""
