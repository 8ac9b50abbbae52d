"""Shipped to users: conformance suites, simulated parts, clock and faults."""
