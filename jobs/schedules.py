"""The schedule: which task is called when, as it is declared and as it is stored."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import import_module
from typing import Any, Protocol

import msgspec

from postroom.jobs.errors import ConfigError
from postroom.jobs.options import Options, seconds, span_of, whole_seconds
from postroom.jobs.times import MOST

CATCH_UP = ("last", "all", "none")
OVERLAP = ("allow", "skip", "queue")
GRACE = 60.0
"""Seconds after its time within which a tick is not missed yet."""
TICK = "postroom-tick"
"""The header of a tick's job: its schedule, for the workers' observers."""
_SPANS = (60.0, 3_600.0, 86_400.0, 31 * 86_400.0)
"""How far back the last tick is looked for, so that few are walked through after a long outage."""


class Calendar(Protocol):
    """When the ticks are."""

    def after(self, at: float) -> float:
        """The first one later than `at`; infinity where there is none. Both are seconds since the epoch."""


class Every:
    """Every so many seconds, counted from the epoch, so that all processes agree and no deploy moves it."""

    def __init__(self, interval: float) -> None:
        self._step = round(interval * 1_000_000)  # whole microseconds: a sum of floats would drift

    def after(self, at: float) -> float:
        """The first multiple later than `at`."""
        return (round(at * 1_000_000) // self._step + 1) * self._step / 1_000_000


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule. What is stored of it is enough to tick: no process needs its code. Times are seconds."""

    name: str
    task: str
    queue: str
    cron: str = ""
    every: float = 0.0
    tz: str = "UTC"
    jitter: float = 0.0
    catch_up: str = "last"
    overlap: str = "allow"
    timeout: int | None = None
    result_ttl: int | None = None
    key: str | None = None
    deadline: float | None = None
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = {}

    @property
    def definition(self) -> str:
        """As JSON: the same text for the same schedule."""
        return msgspec.json.encode(self).decode()

    @property
    def digest(self) -> str:
        """Tells one version of a definition from another."""
        return _digest(self.definition, 8).hex()

    @property
    def when(self) -> str:
        """Its calendar in words."""
        return f"{self.cron} {self.tz}" if self.cron else f"every {self.every:.15g} s"

    def options(self, due: float, now: float) -> Options:
        """Of the job of the tick that is `due`."""
        at = due + self.shift(due)
        return Options(
            queue=self.queue,
            job_id=self.job_id(due),
            run_at=datetime.fromtimestamp(at, UTC) if at > now else None,
            timeout=self.timeout,
            result_ttl=self.result_ttl,
            key=self.key,
            deadline=None if self.deadline is None else datetime.fromtimestamp(max(at, now) + self.deadline, UTC),
        )

    @property
    def calendar(self) -> Calendar:
        """When its ticks are.

        Raises:
            ConfigError: the expression or the zone is wrong.
        """
        return _calendar(self.cron, self.every, self.tz)

    def after(self, at: float) -> float:
        """The first tick later than `at`; infinity where there is none."""
        return self.calendar.after(at)

    def job_id(self, due: float) -> str:
        """The id of the job of the tick that is `due`: the same, whoever makes it."""
        return f"cron-{_digest(f'{self.name} {due:.6f}', 16).hex()}"

    def shift(self, due: float) -> float:
        """By how much jitter puts off the tick that is `due`: the same, whoever computes it."""
        return self.jitter * int.from_bytes(_digest(f"jitter {self.name} {due:.6f}", 4)) / 2**32

    def pending(self, due: float, now: float) -> tuple[float | None, float]:
        """Which tick is to be made (None: it is dropped), where `due` is the one that was waited for; and the next."""
        following = self.after(due)
        if self.catch_up == "all":
            return due, following
        last = due if following > now else self._last(due, now)
        made = last if self.catch_up == "last" or now - last <= GRACE else None
        return made, following if following > now else self.after(now)

    def _last(self, due: float, now: float) -> float:
        for span in _SPANS:
            if now - span > due and (found := self._walk(now - span, now)) is not None:
                return found
        return self._walk(due, now) or due

    def _walk(self, start: float, end: float) -> float | None:
        last, at = None, self.after(start)
        while at <= end:
            last, at = at, self.after(at)
        return last


def read(definition: str) -> Schedule:
    """The schedule that is stored.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return msgspec.json.decode(definition, type=Schedule)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"a stored schedule cannot be read: {error}") from error


def make(
    *,
    name: str,
    task: str,
    options: Options,
    cron: str | None,
    every: float | timedelta | None,
    tz: str | None,
    jitter: float | timedelta,
    catch_up: str,
    overlap: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    now: float,
) -> Schedule:
    """A schedule, checked.

    Args:
        now: there must be a tick after this time (seconds since the epoch).

    Raises:
        ConfigError: a value is wrong; the text names it.
    """
    where = f"schedule {name!r}"
    if not isinstance(name, str) or not 0 < len(name) <= 200 or any(c.isspace() or not c.isprintable() for c in name):
        raise ConfigError(f"{where}: a schedule's name has 1 to 200 printable characters without spaces: give another")
    if (cron is None) == (every is None):
        raise ConfigError(f"{where}: give a crontab expression or every=, one of them")
    if not isinstance(tz, str | None):
        raise ConfigError(f"{where}: tz={tz!r}: give the name of a time zone, e.g. 'Europe/Paris'")
    if every is not None and tz is not None:
        raise ConfigError(f"{where}: tz={tz!r} is for a crontab expression: every= counts seconds")
    if catch_up not in CATCH_UP:
        raise ConfigError(f"{where}: catch_up={catch_up!r}: one of {', '.join(CATCH_UP)}")
    if overlap not in OVERLAP:
        raise ConfigError(f"{where}: overlap={overlap!r}: one of {', '.join(OVERLAP)}")
    made = Schedule(
        name=name,
        task=task,
        queue=options.queue,
        cron="" if cron is None else cron,
        every=0.0 if every is None else _seconds(where, "every", every, 1.0),
        tz="UTC" if tz is None else tz,
        jitter=_seconds(where, "jitter", jitter, 0.0),
        catch_up=catch_up,
        overlap=overlap,
        timeout=None if options.timeout is None else whole_seconds(options.timeout),
        result_ttl=None if options.result_ttl is None else whole_seconds(options.result_ttl),
        key=options.key_of(args, kwargs) or None,
        deadline=span_of(options.deadline),
        args=args,
        kwargs=kwargs,
    )
    try:
        comes = made.after(now) < math.inf
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    if not comes:
        raise ConfigError(f"{where}: cron={cron!r}: such a day never comes")
    return made


@lru_cache(maxsize=1_000)
def _calendar(cron: str, every: float, tz: str) -> Calendar:
    if every:
        return Every(every)
    # By name: croniter and what it brings are for those alone who have a crontab expression.
    found: Calendar = import_module("postroom.jobs.crontab").Crontab(cron, tz)
    return found


def _seconds(where: str, field: str, value: float | timedelta, least: float) -> float:
    known = isinstance(value, int | float | timedelta) and not isinstance(value, bool)
    if not known or not least <= seconds(value) <= MOST:
        raise ConfigError(f"{where}: {field}={value!r}: give a timedelta or seconds, {least:g} at least")
    return float(seconds(value))


def _digest(text: str, size: int) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=size).digest()
