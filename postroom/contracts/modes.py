"""Who must be able to read whom: Confluent's modes, by their names.

https://docs.confluent.io/platform/current/schema-registry/fundamentals/schema-evolution.html
"""

from enum import StrEnum


class Mode(StrEnum):
    """What a new version owes to the others."""

    NONE = "NONE"
    """Nothing."""
    BACKWARD = "BACKWARD"
    """Its readers read messages of the version before."""
    FORWARD = "FORWARD"
    """Readers of the version before read its messages."""
    FULL = "FULL"
    """Both."""
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    """Its readers read messages of all versions."""
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    """Readers of all versions read its messages."""
    FULL_TRANSITIVE = "FULL_TRANSITIVE"
    """Both: workers and producers may be deployed in any order, and old messages may be read again at any time."""

    @property
    def backward(self) -> bool:
        """Are old messages read?"""
        return self.startswith(("BACKWARD", "FULL"))

    @property
    def forward(self) -> bool:
        """Do old readers count?"""
        return self.startswith(("FORWARD", "FULL"))

    @property
    def transitive(self) -> bool:
        """Do all versions count, not the one before only?"""
        return self.endswith("_TRANSITIVE")


DEFAULT = Mode.FULL_TRANSITIVE
