"""What a claim brought: jobs in this process's hands."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from postroom.jobs.times import epoch
from postroom.workers.notes import Notes


@dataclass(slots=True)
class Claimed:
    """One job that this process may run: its place, its fence and the fields that running it needs, as stored."""

    id: str
    queue: str
    token: int
    data: bytes | None
    content_type: str | None
    attempts_made: int
    first_started: float | None
    timeout: bytes | None
    result_ttl: bytes | None
    created_at: bytes | None
    saved_by_rq: bool
    deaths: int
    """How many worker processes died while they ran it."""
    at: float
    """When it was claimed, by time.monotonic()."""
    ends: float | None = None
    """Its deadline by the server's clock (seconds since the epoch); None: it has none."""
    left: float = 0.0
    """Seconds until then when it was claimed, by that clock, too."""
    limits: bytes | None = None
    """Its limits, where it has any."""
    enqueued_at: bytes | None = None
    """Where somebody counts or observes."""
    trace: bytes | None = None
    """What its producer's observers sent along, as JSON; where somebody observes."""
    messages: bytes | None = None
    """The versions of the messages in its call; where the app has tasks with messages."""
    task: str = ""
    """The name of its task, once that was read."""
    started: float = 0.0
    """When its handler was begun here, seconds since the epoch; 0: it was not."""
    notes: Notes | None = None
    """What its handler has logged, once it has."""

    @property
    def made_by_rq(self) -> bool:
        """RQ's producer made it: RQ's rules hold for it."""
        return self.content_type is None

    @property
    def age(self) -> float:
        """Seconds since it was made; for ever where that cannot be told."""
        made = epoch(self.created_at)
        return math.inf if made is None else time.time() - made

    @property
    def expires(self) -> float:
        """Its deadline by time.monotonic(); for ever where it has none."""
        return math.inf if self.ends is None else self.at + self.left

    @property
    def attempt(self) -> int:
        """The number of this execution as the retry policy counts, 1 for the first."""
        return self.attempts_made + 1


FOR_COUNTING = ("enqueued_at",)
"""Fields that a claim asks for besides where jobs are counted,"""
FOR_OBSERVERS = (*FOR_COUNTING, "p:trace")
"""where somebody observes,"""
FOR_MESSAGES = (*FOR_OBSERVERS, "p:messages")
"""and where a task has messages."""


def read_claim(reply: Sequence[Any], queue: str, at: float) -> list[Claimed]:
    """The jobs of a reply of claim.lua; `at` is time.monotonic()."""
    if not reply:
        return []
    token = int(reply[0])
    return [_read(row, queue, token, at) for row in reply[1:]]


def claimed_from(job_id: str, token: int, stored: Mapping[bytes, bytes]) -> Claimed:
    """The claim of a job that a dead process held, from the job's whole hash."""
    names = (b"status", b"data", b"p:type", b"p:attempt", b"p:first", b"timeout", b"result_ttl", b"created_at")
    rest = (
        b"success_callback_name",
        b"p:reason",
        b"p:deaths",
        b"p:deadline",
        b"p:limits",
        *(name.encode() for name in FOR_MESSAGES),
    )
    row = [*(stored.get(name) for name in (*names, *rest)), job_id.encode()]
    found = _read(row, stored.get(b"origin", b"").decode(errors="replace"), token, time.monotonic())
    if found.ends is not None:
        found.left = found.ends - time.time()
    return found


def _read(row: Sequence[Any], queue: str, token: int, at: float) -> Claimed:
    # The FIELDS of lib/runnable.lua, those FOR_… where they were asked for, then the id.
    (
        _,
        data,
        kind,
        attempts,
        first,
        timeout,
        result_ttl,
        created_at,
        rq_mark,
        reason,
        deaths,
        deadline,
        limits,
        *more,
        job_id,
    ) = row
    # A dead letter that RQ's requeue brought back begins anew: its reason still stands, its status does not.
    redriven = reason is not None
    ends, _, left = (deadline or b"").partition(b" ")
    return Claimed(
        job_id.decode(),
        queue,
        token,
        data,
        kind.decode(errors="replace") if kind else None,
        0 if redriven else _number(attempts),
        None if redriven else _time(first),
        timeout,
        result_ttl,
        created_at,
        rq_mark is not None,
        0 if redriven else _number(deaths),
        at,
        None if redriven else _time(ends),
        _time(left) or 0.0,
        limits,
        *more,
    )


# The hash may hold anything: reading it never raises, lest one bad job stop all others.


def _number(text: bytes | None) -> int:
    return int(text) if text and text.isdigit() and len(text) < 10 else 0


def _time(text: bytes | None) -> float | None:
    try:
        found = float(text or b"nan")
    except ValueError:
        return None
    return found if math.isfinite(found) else None
