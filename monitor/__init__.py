"""The read model: what is where, for people and programs that look."""
