"""Postroom: hand a job over the counter and walk away."""
