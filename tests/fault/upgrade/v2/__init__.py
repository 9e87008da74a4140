"""The source tree of version 2."""
