"""Limits: how many jobs may run at once, and how many may begin in a time."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from postroom.jobs.errors import ConfigError
from postroom.jobs.options import Key, check_key

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_RATE = re.compile(r"(\d+)/(\d*)([smhd])")
OWN = ("task:", "queue:")
"""How the names of limits begin that a task or a queue has for itself."""
_NAME = re.compile(r"[\w.-]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most so many jobs at once, or in a time, over all workers. `@app.task(limit=Limit(rate="100/m"))`.

    Args:
        rate: how many may begin: `100/m`, `10/30s`, `5000/d`; evenly spaced.
        burst: so many of them may begin at once, when none has for a while.
        concurrency: how many may run at once.
        by: whose places they are: a function of the job's arguments, as `lambda customer, *_: f"customer-{customer}"`
            (None from it: the job is not limited), or a text. Where not given, all jobs share them.
        name: of a limit that several tasks share; where not given it is the task's own.

    Raises:
        ConfigError: a value is wrong, or neither rate nor concurrency is given.
    """

    rate: str | None = None
    burst: int = 1
    concurrency: int | None = None
    by: Key = None
    name: str = ""

    def __post_init__(self) -> None:
        if self.rate is None and self.concurrency is None:
            raise ConfigError("Limit(): give rate='100/m', concurrency=5, or both")
        if self.rate is not None and not (isinstance(self.rate, str) and _RATE.fullmatch(self.rate)):
            raise ConfigError(f"rate={self.rate!r}: write jobs and a time, as '100/m', '10/30s'; of s, m, h, d")
        if self.rate is not None and not self.interval:
            raise ConfigError(f"rate={self.rate!r}: 1 job at least, in 1 s at least; to stop a queue, pause it")
        for what, value in (("concurrency", self.concurrency), ("burst", self.burst)):
            if value is not None and (type(value) is not int or not 0 < value <= 1_000_000):
                raise ConfigError(f"{what}={value!r}: 1 to 1,000,000")
        if self.by is not None and not callable(self.by):
            check_key(self.by, "by")
        own = str(self.name).startswith(OWN)
        if self.name and not own and not (isinstance(self.name, str) and _NAME.fullmatch(self.name)):
            raise ConfigError(f"name={self.name!r}: 1 to 100 letters, digits, _ . and -")

    @property
    def interval(self) -> float:
        """Seconds from one job to the next; 0 where no rate is given, or none that could be kept."""
        match = _RATE.fullmatch(self.rate or "")
        if match is None:
            return 0.0
        jobs, seconds = int(match[1]), int(match[2] or 1) * _UNITS[match[3]]
        return seconds / jobs if jobs else 0.0

    @property
    def rule(self) -> str:
        """As lib/limit.lua reads it."""
        return f"{self.concurrency or 0} {self.interval:.9g} {self.burst}"

    def entry(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """Its line in a job's `p:limits`; '' where the job is not limited.

        Raises:
            ConfigError: `by` has returned what cannot be a key.
        """
        if self.by is None:
            return self.name
        key = self.by(*args, **kwargs) if callable(self.by) else self.by
        if key is None:
            return ""
        check_key(key, "by")
        return f"{self.name}\t{key}"


Limits = tuple[Limit, ...]


def limits_of(name: str, given: object) -> Limits:
    """The limits of a task: those without a name are its own.

    Raises:
        ConfigError: `given` are no limits, or the task's name cannot have one.
    """
    found = (given,) if isinstance(given, Limit) else given
    if not isinstance(found, list | tuple) or not all(isinstance(one, Limit) for one in found):
        raise ConfigError(f"limit={given!r}: give a Limit, or a list of them")
    if found and not name.isprintable():
        raise ConfigError(f"name={name!r}: a task with limits has printable characters in its name")
    nameless = [one for one in found if not one.name]
    own = [replace(one, name=f"task:{name}#{n}" if n else f"task:{name}") for n, one in enumerate(nameless)]
    return (*own, *(one for one in found if one.name))


def written(limits: Iterable[Limit], args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """A job's `p:limits`; '' where it has none."""
    return "\n".join(entry for limit in limits if (entry := limit.entry(args, kwargs)))
