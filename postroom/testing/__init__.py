"""What runs jobs in tests: at once, from a server of the tests' own, and under kills."""
