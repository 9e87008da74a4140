"""Outcomes: what became of claimed jobs, on their way to the server."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from postroom.jobs import calls
from postroom.jobs.keys import Keys
from postroom.jobs.settings import Settings
from postroom.jobs.times import rq_time
from postroom.workers.claimed import Claimed

BATCH = 500
GRACE = 10.0
"""Seconds that a finished job is kept at least: its enqueuer may still be asking whether it was taken."""
TRACEBACK_LIMIT = 20_000


@dataclass(slots=True)
class Outcome:
    """One job's transition: the script that makes it, and what the script is told of this job."""

    verb: str
    job: Claimed
    args: list[Any]
    after: Callable[[], None] | None = None
    """Called once the server has accepted it."""


def finished(job: Claimed, result: bytes, started: float, ended: float, ttl: int, entry: str = "") -> Outcome:
    """It returned. `entry`: RQ's result stream's, for RQ's jobs."""
    return Outcome("complete", job, [job.id, job.token, result, rq_time(started), rq_time(ended), ttl, entry])


def buried(
    job: Claimed,
    reason: str,
    traceback: str,
    started: float,
    ttl: int,
    *,
    attempt: int,
    created_at: str,
    entry: str = "",
) -> Outcome:
    """It will not be tried again by itself."""
    ended = rq_time()
    shown = [_sendable(reason)[:500], _sendable(traceback)[-TRACEBACK_LIMIT:]]
    args = [job.id, job.token, *shown, rq_time(started), ended, created_at, attempt]
    return Outcome("bury", job, [*args, ttl, entry])


def retried(job: Claimed, delay: float, fields: dict[str, Any], *, front: bool = False) -> Outcome:
    """It failed and will be tried again in `delay` seconds."""
    flat = [_sendable(part) if isinstance(part, str) else part for pair in fields.items() for part in pair]
    return Outcome("retry", job, [job.id, job.token, delay, "front" if front else "back", len(flat), *flat])


def released(job: Claimed) -> Outcome:
    """It was never started: somebody else may have it."""
    return Outcome("release", job, [job.id, job.token])


def _sendable(text: str) -> str:
    """Texts of errors may hold what UTF-8 cannot, such as the names of files that are not UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def settle_calls(
    outcomes: Iterable[Outcome], space: Keys, process: str, settings: Settings
) -> list[tuple[calls.Call[list[str]], list[Outcome]]]:
    """One call per verb and queue, of at most BATCH jobs, each with the outcomes that it carries."""
    groups: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.verb, outcome.job.queue].append(outcome)
    found = []
    for (verb, queue), group in groups.items():
        for start in range(0, len(group), BATCH):
            part = group[start : start + BATCH]
            jobs = [arg for outcome in part for arg in outcome.args]
            extra = {"keep": settings.keep_finished, "trim_before": rq_time(time.time() - GRACE)}
            found.append((calls.settle(verb, space, queue, process, jobs, **extra), part))
    return found
