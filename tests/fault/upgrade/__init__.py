"""One app in three versions, each a source tree of its own, and how they tell what they do."""

SENT, KEPT = "sent", "kept"
"""Notes of the history: the documents of producers, and as the newest reader saw them."""
