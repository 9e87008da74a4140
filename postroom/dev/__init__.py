"""What `postroom dev` is made of: programs side by side in one terminal, started again when code changes."""
