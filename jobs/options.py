"""What may be said of one job: where it goes, when, and how long things may take."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypedDict

from postroom.jobs.codecs import check_codec
from postroom.jobs.errors import ConfigError
from postroom.jobs.keys import JOB_ID
from postroom.jobs.times import MOST

Key = str | Callable[..., str | None] | None
"""What orders jobs: one at a time of those with the same, in order of enqueue. A function gets the call's arguments."""
MOST_KEY = 128
"""Characters of a key."""
SCOPES = ("queued", "running", "success")
"""How long a job is unique: until it starts, until it has ended, until it has succeeded."""


class OptionFields(TypedDict, total=False):
    """The keywords of `using(…)`. Times are seconds or timedeltas.

    `timeout` and `result_ttl` travel in RQ's fields, which take whole seconds: they are rounded up.
    """

    queue: str
    job_id: str
    delay: float | timedelta
    run_at: datetime
    timeout: float | timedelta
    result_ttl: int | timedelta
    at_front: bool
    codec: str
    key: Key
    unique: str | float | timedelta | None
    unique_by: Key
    deadline: float | timedelta | datetime | None
    detached: bool


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one job, checked. None: as the task or the settings say.

    Raises:
        ConfigError: a value is wrong; the text names it.
    """

    queue: str = "default"
    job_id: str | None = None
    delay: float | timedelta | None = None
    run_at: datetime | None = None
    timeout: float | timedelta | None = None
    result_ttl: int | timedelta | None = None
    at_front: bool = False
    codec: str | None = None
    key: Key = None
    unique: str | float | timedelta | None = None
    unique_by: Key = None
    deadline: float | timedelta | datetime | None = None
    """When it must have ended: seconds from its enqueue, or a time."""
    detached: bool = False
    """Enqueued from within a job it is not that one's child: no deadline is inherited, and no cancellation."""

    def __post_init__(self) -> None:
        check_queue_name(self.queue)
        if self.job_id is not None and not (isinstance(self.job_id, str) and JOB_ID.fullmatch(self.job_id)):
            raise ConfigError(f"job_id={self.job_id!r}: 1 to 128 letters, digits, _ and - are allowed (RQ's rule)")
        if self.run_at is not None and not isinstance(self.run_at, datetime):
            raise ConfigError(f"run_at={self.run_at!r}: give a datetime with its time zone, or delay=seconds")
        _check_aware("run_at", self.run_at)
        if self.run_at is not None and self.delay is not None:
            raise ConfigError(f"delay={self.delay!r} and run_at={self.run_at!r}: give one of them")
        for name, value in (("at_front", self.at_front), ("detached", self.detached)):
            if not isinstance(value, bool):
                raise ConfigError(f"{name}={value!r}: True or False")
        if self.codec is not None:
            check_codec("", self.codec)
        if self.key is not None and not callable(self.key):
            check_key(self.key)
        self._check_unique()
        _check_duration("delay", self.delay)
        self._check_deadline()
        _check_duration("timeout", self.timeout, above_zero=True)
        if self.result_ttl != -1:
            _check_duration("result_ttl", self.result_ttl)

    def _check_deadline(self) -> None:
        if isinstance(self.deadline, datetime):
            _check_aware("deadline", self.deadline)
            late = self.run_at is not None and self.run_at >= self.deadline
        else:
            _check_duration("deadline", self.deadline, above_zero=True)
            late = None not in (self.delay, self.deadline) and seconds(self.delay) >= seconds(self.deadline)  # type: ignore[arg-type]
        if late:
            due = f"run_at={self.run_at!r}" if self.delay is None else f"delay={self.delay!r}"
            raise ConfigError(f"{due} with deadline={self.deadline!r}: it would expire before it is due")

    def key_of(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """The key of a call with these arguments; '' where it has none.

        Raises:
            ConfigError: the function of the arguments has returned what cannot be a key.
            whatever that function raises.
        """
        key = self.key(*args, **kwargs) if callable(self.key) else self.key
        if key is None:
            return ""
        check_key(key)
        return key

    @property
    def scope(self) -> str | float:
        """For how long its lock holds: one of SCOPES, or the seconds of a window; '' where it has none."""
        if self.unique is None:
            return ""
        return self.unique if isinstance(self.unique, str) else seconds(self.unique)

    def _check_unique(self) -> None:
        if isinstance(self.unique, str) and self.unique not in SCOPES:
            raise ConfigError(f"unique={self.unique!r}: {', '.join(map(repr, SCOPES))}, or the seconds of a window")
        if isinstance(self.unique, bool):
            raise ConfigError(f"unique={self.unique!r}: say for how long: {', '.join(map(repr, SCOPES))}, or seconds")
        if not isinstance(self.unique, str):
            _check_duration("unique", self.unique, above_zero=True)
        if self.unique_by is not None and self.unique is None:
            raise ConfigError(f"unique_by={self.unique_by!r} without unique=: say for how long, e.g. unique='running'")
        if self.unique_by is not None and not callable(self.unique_by):
            check_key(self.unique_by, "unique_by")

    def but(self, **changes: object) -> "Options":
        """These options with some changed.

        Raises:
            ConfigError: an option of that name does not exist, or its value is wrong.
        """
        unknown = set(changes) - set(self.__dataclass_fields__)
        if unknown:
            raise ConfigError(f"no option {min(unknown)!r}; there are: {', '.join(self.__dataclass_fields__)}")
        return replace(self, **changes)  # type: ignore[arg-type]


def check_queue_name(name: object) -> None:
    """Raises:
    ConfigError: `name` cannot be a queue's.
    """
    if (
        not isinstance(name, str)
        or not name
        or len(name) > 200
        or any(c.isspace() or not c.isprintable() for c in name)
    ):
        raise ConfigError(f"queue={name!r}: 1 to 200 printable characters without spaces")
    if name.endswith(":intermediate"):
        raise ConfigError(f"queue={name!r}: RQ keeps names that end in ':intermediate' to itself")


def check_key(key: object, name: str = "key") -> None:
    """Raises:
    ConfigError: `key` cannot order jobs.
    """
    if isinstance(key, str) and not {"{", "}"}.isdisjoint(key):
        raise ConfigError(
            f"{name}={key!r} has a brace, as a text without its f: write f'…', or {name}=lambda order_id: f'…'"
        )
    if not isinstance(key, str) or not 0 < len(key) <= MOST_KEY or any(c.isspace() or not c.isprintable() for c in key):
        raise ConfigError(
            f"{name}={key!r}: 1 to {MOST_KEY} printable characters without spaces, or a function of the arguments"
        )


def seconds(value: float | timedelta) -> float:
    """A duration in seconds."""
    return value.total_seconds() if isinstance(value, timedelta) else value


def whole_seconds(value: float | timedelta) -> int:
    """A duration in whole seconds, rounded up: RQ's readers take no others."""
    return math.ceil(seconds(value))


def span_of(deadline: float | timedelta | datetime | None) -> float | None:
    """A deadline of many jobs: seconds from the enqueue of each.

    Raises:
        ConfigError: it is one time for all of them.
    """
    if isinstance(deadline, datetime):
        raise ConfigError(f"deadline={deadline!r}: one time for all its jobs: give a timedelta or seconds")
    return None if deadline is None else float(seconds(deadline))


def _check_aware(name: str, value: datetime | None) -> None:
    if value is not None and value.tzinfo is None:
        raise ConfigError(f"{name}={value!r} has no time zone: give an aware datetime, e.g. with tzinfo=UTC")


def _check_duration(name: str, value: float | timedelta | None, *, above_zero: bool = False) -> None:
    if value is None:
        return
    if not isinstance(value, int | float | timedelta) or not 0 <= seconds(value) <= MOST:
        raise ConfigError(f"{name}={value!r}: must be seconds or a timedelta, not negative and at most {MOST:,} s")
    if above_zero and not seconds(value):
        raise ConfigError(f"{name}={value!r}: must be more than 0 seconds")
