"""Contracts: what messages and calls look like, what a change of that breaks, and whether a server's jobs still fit."""
