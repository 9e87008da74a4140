"""Examples that are tests."""
