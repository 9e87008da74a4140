"""The duties: what must happen though nobody asks, each one file of one shape."""
