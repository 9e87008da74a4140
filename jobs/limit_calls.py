"""The calls about limits."""

from collections.abc import Mapping
from typing import Any

from postroom.jobs.calls import Call, script
from postroom.jobs.keys import Keys


def set_rules(space: Keys, rules: Mapping[str, str]) -> list[Call[Any]]:
    """Say what the limits of these names allow; '': nothing any more."""
    stand = [part for pair in rules.items() if pair[1] for part in pair]
    gone = [name for name, rule in rules.items() if not rule]
    asked = [("HSET", space.limits(), *stand)] if stand else []
    asked += [("HDEL", space.limits(), *gone)] if gone else []
    return [Call(command, int) for command in asked]


def keep_rules(space: Keys, rules: Mapping[str, str]) -> list[Call[Any]]:
    """The same of those of which nothing is said, as on a server that has lost its data."""
    return [Call(("HSETNX", space.limits(), name, rule), int) for name, rule in rules.items() if rule]


def permit(space: Keys, limit: int) -> Call[tuple[int, float]]:
    """Let jobs begin whose rate allows it now; of how many limits, and in how many seconds the next is (inf: none)."""

    def parse(reply: list[Any]) -> tuple[int, float]:
        return reply[0], float(reply[1] or "inf")

    return script("permit", parse, space, {"permits": space.permits()}, {"limit": limit})


def mend(space: Keys, age: float, limit: int, now: float | str = "") -> Call[int]:
    """Look at limits that are in use, for places of jobs that are gone; how many limits were looked at.

    Args:
        age: seconds for which a look at a limit holds good.
    """
    return script("mend", int, space, {"limits_busy": space.limits_busy()}, {"age": age, "limit": limit, "now": now})
