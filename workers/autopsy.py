"""The autopsy: what becomes of the jobs that a dead worker process held.

What ran past its hard deadline has failed an attempt. What ran when the process died by itself is charged with the
death; from its second run on such a job runs alone, so that the next death proves whose it was. The neighbours of a job
that made us kill the process, and what was only claimed, go back free.
"""

import logging
import time
from collections.abc import Sequence
from typing import Any

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.errors import JobTimeout
from postroom.jobs.failure import Cause, Death, Failure
from postroom.workers.board import Running
from postroom.workers.claimed import Claimed, claimed_from
from postroom.workers.outcome import Outcome, settle_calls
from postroom.workers.process import WorkerProcess
from postroom.workers.runner import Runner

log = logging.getLogger("postroom.pool")


def settle(app: Postroom, dead: WorkerProcess, death: Death) -> int:
    """Settle what `dead` held; how many of its jobs are back on their queues.

    Raises:
        BrokerError: the server is not there; the lease will run out and a duty recovers the jobs.
    """
    runner = Runner(app, dead.name, can_isolate=bool(dead.orders.target))
    overdue = {(job.id, job.token) for job in dead.killed_for}
    outcomes = [
        outcome
        for job in dead.board.running()
        if (job.id, job.token) in overdue and (outcome := _overran(app, runner, job, death)) is not None
    ]
    asked = [call for call, _ in settle_calls(outcomes, app.keys, dead.name, app.settings)]
    charged = [] if dead.killed or dead.board.ended else _charges(app, runner, dead, death)
    recover = calls.recover(app.keys, dead.name, resigned=True, charged=_told(charged))
    some = app.broker.run_many([*asked, recover])[-1]
    back = set(some)
    while some:
        some = app.broker.run(recover)
        back.update(some)
    if back or not dead.board.ended:
        log.warning("worker %s died by %s; %d of its jobs are back on their queues", dead.name, death.how, len(back))
    for claimed, task, failure in charged:
        if claimed.id in back:
            runner.report(claimed, task, failure)
    return len(back)


Charge = tuple[Claimed, str, Failure]
"""A job, its task, and what is kept of its execution."""


def _told(charges: Sequence[Charge]) -> list[Any]:
    """As recover.lua takes them."""
    return [part for claimed, _, failure in charges for part in (f"{claimed.id}:{claimed.token}", failure.stored)]


def _charges(app: Postroom, runner: Runner, dead: WorkerProcess, death: Death) -> list[Charge]:
    """What the process may have died of: every job that it ran, or that had just ended; recover charges those that it
    had not settled. Not those that had a process of their own.
    """
    suspects = [job for job in dead.board.last_seen() if job.slot < dead.orders.first_isolated]
    hashes = app.broker.run_many([calls.read_all(app.keys, job.id) for job in suspects])
    charges = []
    for job, stored in zip(suspects, hashes, strict=True):
        claimed = claimed_from(job.id, job.token, stored)
        task = runner.task_of(claimed)
        charges.append((claimed, task, runner.death(claimed, task, death, job.started or time.time())))
    return charges


def _overran(app: Postroom, runner: Runner, job: Running, death: Death) -> Outcome | None:
    """The failed attempt of a job past its hard deadline; None where the job is gone."""
    stored = app.broker.run(calls.read_all(app.keys, job.id))
    if not stored:
        return None
    claimed = claimed_from(job.id, job.token, stored)
    ready = runner.read(claimed)
    if isinstance(ready, Outcome):
        return ready
    if ready.function is None:
        error = TimeoutError("past its hard deadline; its process was killed")
        failure = runner.failure(claimed, error, job.started, death)
        return runner.bury(claimed, Cause.KILLED, failure, error=error)
    return runner.raised(ready, JobTimeout(), job.started, death)
