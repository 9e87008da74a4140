"""What the tables of the dead letters share."""

from typing import Any

from tests.lua.table import Lasting, ZSet, lasting

UNDO = lasting(900, "ABOUT")
"""At `postroom:undo`."""


def record(**scores: float) -> Lasting:
    """What an action moved of a queue, at `postroom:undo:A:<queue>`."""
    return lasting(900, ZSet(scores))


def beside(seconds: float | None) -> dict[str, Any]:
    """What RQ keeps beside the hash of job a, for so long."""
    kept: dict[str, Any] = {"rq:job:a:dependents": {"d"}, "rq:job::a:dependencies": {"e"}}
    return {key: value if seconds is None else lasting(seconds, value) for key, value in kept.items()}
