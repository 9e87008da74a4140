"""The source tree of version 1."""
