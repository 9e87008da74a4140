"""Outcomes: what became of claimed jobs, on their way to the server."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from postroom.jobs import calls
from postroom.jobs.failure import Cause, Failure
from postroom.jobs.keys import Keys
from postroom.jobs.settings import Settings
from postroom.jobs.times import rq_time
from postroom.workers.claimed import Claimed

BATCH = 500
GRACE = 10.0
"""Seconds that a finished job is kept at least: its enqueuer may still be asking whether it was taken."""


@dataclass(slots=True)
class Outcome:
    """One job's transition: the script that makes it, and what the script is told of this job."""

    verb: str
    job: Claimed
    args: list[Any]
    after: Callable[[], None] | None = None
    """Called once the server has accepted it."""
    ended: float = 0.0
    """When it was known, seconds since the epoch; where jobs are counted."""


def finished(job: Claimed, result: bytes, started: float, ended: float, ttl: int, entry: str = "") -> Outcome:
    """It returned. `entry`: RQ's result stream's, for RQ's jobs."""
    return Outcome("complete", job, [job.id, job.token, result, rq_time(started), rq_time(ended), ttl, entry])


def buried(
    job: Claimed,
    cause: Cause,
    failure: Failure,
    fields: Mapping[str, Any],
    ttl: int,
    entry: str,
    *,
    happened: bool = True,
) -> Outcome:
    """It will not be tried again by itself.

    Args:
        fields: what else its hash shall hold.
        entry: as for `finished`.
        happened: `failure` is of an execution, and is kept among those that failed.
    """
    stored = {
        "p:reason": failure.error,
        "p:cause": str(cause),
        "p:fingerprint": failure.fingerprint,
        "p:attempt": job.attempt,
        "exc_info": failure.traceback or failure.error,
        "started_at": rq_time(failure.started),
        "ended_at": rq_time(failure.ended),
        **fields,
    }
    execution = failure.stored if happened else b""
    return Outcome("bury", job, [job.id, job.token, ttl, entry, execution, 2 * len(stored), *_flat(stored)])


def retried(
    job: Claimed, delay: float, fields: Mapping[str, Any], failure: bytes = b"", *, front: bool = False
) -> Outcome:
    """It will be tried again in `delay` seconds. `failure`: the execution that failed, as stored; '': none did."""
    place = "front" if front else "back"
    return Outcome("retry", job, [job.id, job.token, delay, place, failure, 2 * len(fields), *_flat(fields)])


def declined(job: Claimed, need: str, version: int | str, why: str, latest: float = calls.RARELY) -> Outcome:
    """It is for other code than this: it waits for a worker that has it. No attempt is counted.

    Args:
        need: the task, or the message, that its worker must know.
        version: of the message, or a newer one; '' for a task.
        why: the same in words.
        latest: seconds until it is asked for again.
    """
    return Outcome("decline", job, [job.id, job.token, need, version, why, max(calls.OFTEN, latest)])


def limited(job: Claimed, limits: str) -> Outcome:
    """It has limits, of which whoever enqueued it did not know: it waits for a place."""
    return Outcome("limit", job, [job.id, job.token, limits])


def released(job: Claimed) -> Outcome:
    """It was never started: somebody else may have it."""
    return Outcome("release", job, [job.id, job.token])


def _flat(fields: Mapping[str, Any]) -> list[Any]:
    return [part for pair in fields.items() for part in pair]


def settle_calls(
    outcomes: Iterable[Outcome], space: Keys, process: str, settings: Settings
) -> list[tuple[calls.Call[Any], list[Outcome]]]:
    """One call per verb and queue, of at most BATCH jobs, each with the outcomes that it carries. Those before them,
    that carry none, bring what the jobs have logged.
    """
    groups: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.verb, outcome.job.queue].append(outcome)
    # What jobs logged last comes before what became of them: then they are not theirs any more.
    found: list[tuple[calls.Call[Any], list[Outcome]]] = []
    for job in (outcome.job for group in groups.values() for outcome in group):
        if job.notes is not None:
            job.notes.settling = True
            if (said := job.notes.take())[1]:
                found.append((calls.log(space, job.id, job.token, *said), []))
    for (verb, queue), group in groups.items():
        for start in range(0, len(group), BATCH):
            part = group[start : start + BATCH]
            jobs = [arg for outcome in part for arg in outcome.args]
            extra = {"keep": settings.keep_finished, "trim_before": rq_time(time.time() - GRACE)}
            found.append((calls.settle(verb, space, queue, process, jobs, **extra), part))
    return found
