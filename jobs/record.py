"""The record of events: what an entry says, and how one reads on in a stream that may be trimmed beneath."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from postroom.jobs.errors import ConfigError

JOBS = (
    *("enqueued", "scheduled", "deferred", "started", "progress", "finished", "retried", "released", "recovered"),
    *("buried", "declined", "canceled", "expired", "redriven", "purged", "imported", "undone"),
)
"""Transitions of jobs."""
OTHERS = ("worker-up", "worker-down", "paused", "resumed")
"""Those of worker processes and of queues."""
GAP = "gap"
"""No transition: here events are missing."""
START = "0-0"
"""An id before all others."""


@dataclass(frozen=True, slots=True)
class Event:
    """One transition, which one call of a script made of jobs of one queue."""

    id: str
    """Its place on the record: `since=event.id` reads on from there."""
    event: str
    """One of JOBS or OTHERS, or GAP."""
    queue: str = ""
    """'' where a worker process comes or goes."""
    jobs: tuple[str, ...] = ()
    """The ids of the jobs; none where a queue or a worker process is meant."""
    worker: str = ""
    """The worker process, where one did it or is meant."""
    missed: int | None = 0
    """Of a GAP: how many entries are missing; None where nobody knows."""

    @property
    def at(self) -> float:
        """When it happened: seconds since the epoch, by the server's clock."""
        return order(self.id)[0] / 1000

    @classmethod
    def read(cls, entry: bytes, flat: Sequence[bytes], event: str = "buried") -> "Event":
        """As the server replies it. What nobody of us wrote names no jobs.

        Args:
            event: what it is where it does not say: the stream of burials has nothing else, and its ids as JSON.
        """
        words = [text.decode(errors="replace") for text in flat]
        fields: Mapping[str, str] = dict(zip(words[::2], words[1::2], strict=True))
        try:
            buried = msgspec.json.decode(fields.get("jobs", "[]"), type=list[str])
        except msgspec.MsgspecError:
            buried = []
        jobs = tuple(fields["ids"].split() if "ids" in fields else buried)
        kind, queue, worker = fields.get("event", event), fields.get("queue", ""), fields.get("worker", "")
        return cls(entry.decode(), kind, queue, jobs, worker)


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a stream found (listen.lua)."""

    began: str
    """Since when the record is kept without a break; '' where it is always."""
    added: int
    """How many entries it ever had."""
    length: int
    first: str
    """The id of the first entry that is still there."""
    last: str
    """The id of the last entry that ever was."""
    events: Sequence[Event]
    """Those after the place that was asked for, as many as were asked for at most."""

    @classmethod
    def read(cls, reply: Sequence[Any]) -> "Look":
        """The reply of listen.lua."""
        began, added, length, first, last, *entries = reply
        events = [Event.read(*entry) for entry in entries]
        return cls(began.decode(), added, length, first.decode(), last.decode(), events)


class Cursor:
    """Where one is in a stream, and whether something was missed on the way.

    The server keeps no count of what was trimmed, but of what was added: the difference to what is there is how many
    went. Whoever knows the number of the entry that he read last knows how many of those he has not read.

    Args:
        since: the id to read on from; START: all that is there; '': what comes from now on.
    """

    def __init__(self, since: str) -> None:
        self.after = since
        self._number: int | None = None
        """How many entries there were up to `after`, ever; None: not known yet."""
        self._began = ""

    def take(self, look: Look, asked: int) -> list[Event]:
        """What comes next, with a GAP before it where something is missing; `asked` for so many entries."""
        if not self.after:
            self.after, self._number, self._began = max(look.last, look.began, key=order), look.added, look.began
            return []
        trimmed, missed = look.added - look.length, self._missed(look)
        gap = [] if missed == 0 else [Event(self.after, GAP, missed=missed)]
        if len(look.events) < asked:
            self._number = look.added
        elif order(look.first) > order(self.after):
            self._number = trimmed + len(look.events)
        elif self._number is not None:
            self._number += len(look.events)
        if look.events:
            self.after = look.events[-1].id
        self._began = look.began
        return [*gap, *look.events]

    def _missed(self, look: Look) -> int | None:
        if self.after == START:
            return 0
        if look.began != self._began and order(look.began) > order(self.after):
            return None  # for a time nobody asked for it
        trimmed = look.added - look.length
        if self._number is not None:
            return max(0, trimmed - self._number)
        return None if trimmed and order(look.first) > order(self.after) else 0


def check_event(name: str) -> None:
    """Raises:
    ConfigError: there is no such event.
    """
    if name not in (*JOBS, *OTHERS):
        hint = " A failed attempt is retried or buried." if name == "failed" else ""
        raise ConfigError(f"there is no event {name!r}.{hint} There are: {', '.join((*JOBS, *OTHERS))}")


def order(entry: str) -> tuple[int, int]:
    """What ids are compared by: milliseconds since the epoch, and a number within one."""
    milliseconds, _, number = entry.partition("-")
    return int(milliseconds or 0), int(number or 0)
