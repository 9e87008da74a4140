"""The source tree of version 3."""
