"""The autopsy: what becomes of the jobs that a dead worker process held.

What ran past its hard deadline has failed an attempt. What ran when the process died by itself is charged with the
death; from its second run on such a job runs alone, so that the next death proves whose it was. The neighbours of a job
that made us kill the process, and what was only claimed, go back free.
"""

import logging
import time

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.errors import JobTimeout
from postroom.workers.board import Running
from postroom.workers.claimed import claimed_from
from postroom.workers.outcome import Outcome, settle_calls
from postroom.workers.process import Death, WorkerProcess
from postroom.workers.runner import Runner

log = logging.getLogger("postroom.pool")


def settle(app: Postroom, runner: Runner, dead: WorkerProcess, death: Death) -> None:
    """Settle what `dead` held.

    Raises:
        BrokerError: the server is not there; the lease will run out and a duty recovers the jobs.
    """
    running = list(dead.board.running())
    overdue = {(job.id, job.token) for job in dead.killed_for}
    outcomes = [
        outcome
        for job in running
        if (job.id, job.token) in overdue and (outcome := _overran(app, runner, job)) is not None
    ]
    asked = [call for call, _ in settle_calls(outcomes, app.keys, dead.name, app.settings)]
    charged = [] if dead.killed or dead.board.ended else _suspects(dead)
    recover = calls.recover(app.keys, dead.name, resigned=True, charged=charged, death=_evidence(death))
    some = app.broker.run_many([*asked, recover])[-1]
    back = len(some)
    while some:
        some = app.broker.run(recover)
        back += len(some)
    if back or not dead.board.ended:
        log.warning("worker %s died by %s; %d of its jobs are back on their queues", dead.name, death.how, back)


def _suspects(dead: WorkerProcess) -> list[str]:
    """What the process may have died of: every job that it ran, or that had just ended; recover charges those that it
    had not settled. Not those that had a process of their own.
    """
    return [f"{job.id}:{job.token}" for job in dead.board.last_seen() if job.slot < dead.orders.first_isolated]


def _overran(app: Postroom, runner: Runner, job: Running) -> Outcome | None:
    """The failed attempt of a job past its hard deadline; None where the job is gone."""
    stored = app.broker.run(calls.read_all(app.keys, job.id))
    if not stored:
        return None
    claimed = claimed_from(job.id, job.token, stored)
    ready = runner.read(claimed)
    if isinstance(ready, Outcome):
        return ready
    if ready.function is None:
        return runner.bury(claimed, "TimeoutError: past its hard deadline; its process was killed", "", job.started)
    return runner.raised(ready, JobTimeout(), job.started)


def _evidence(death: Death) -> str:
    text = f"{death.how}, peak memory {death.peak_bytes // 1_000_000} MB"
    return (
        f"{text}\n{death.stack}".strip()
        if death.stack
        else f"{text}, at {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}"
    )
