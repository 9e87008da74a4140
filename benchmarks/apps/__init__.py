"""What each contender's user would write: a no-op task and its producer. Nothing here imports another contender."""
