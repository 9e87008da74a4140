"""Stops: processes stand still for three leases and then go on, as under a debugger, a swap storm or a frozen host."""

import os
import signal
import time
from collections.abc import Iterator

from tests.fault.ground import Ground
from tests.fault.trial import Trial
from tests.fault.verdict import Verdict

LEASE = 2


def child_stopped(ground: Ground) -> Iterator[Verdict]:
    """A worker process stands still. Its pool keeps its lease while what it runs has time; nothing runs twice."""
    yield from _stopped(
        ground, "child stopped", pool=False, children=True, jobs=300 if ground.short else 400, seconds=0.2
    )


def pool_stopped(ground: Ground) -> Iterator[Verdict]:
    """A pool stands still and its worker processes go on. A claim renews the lease, but while long jobs keep a process
    from claiming nobody does, and others get what it holds.
    """
    yield from _stopped(
        ground, "pool stopped", pool=True, children=False, jobs=30 if ground.short else 60, seconds=1.5 * LEASE
    )


def group_stopped(ground: Ground) -> Iterator[Verdict]:
    """A pool and its worker processes stand still: what they say when they wake is late, and changes nothing."""
    yield from _stopped(
        ground, "group stopped", pool=True, children=True, jobs=200 if ground.short else 400, seconds=0.2
    )


def _stopped(ground: Ground, case: str, *, pool: bool, children: bool, jobs: int, seconds: float) -> Iterator[Verdict]:
    with Trial(case, ground.url, ground.seed, lease=LEASE) as trial:
        frozen, other = trial.pool("-p", "2", "-c", "4"), trial.pool("-p", "1", "-c", "4")
        producer = trial.produce(jobs, "work", [seconds])
        trial.wait(lambda: len(trial.history.all_runs()) >= 12, 20)
        pids = trial.children(frozen) if pool else trial.children(frozen)[:1]
        stopped = [*([frozen.pid] if pool else []), *(pids if children else [])]
        trial.history.faults("frozen", pids)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        for _ in range(6 * LEASE):  # whatever they begin meanwhile may expire, too
            time.sleep(0.5)
            trial.history.faults("frozen", pids)
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        # Woken up, a process still runs for a moment what is others' by now.
        trial.history.faults("woken", pids)
        producer.wait()
        verdict = trial.finish(frozen, other)
        expired = [fault for fault in trial.history.all_events() if fault.what == "recovered"]
        if not pool and verdict.duplicate_runs:
            verdict.red.append(f"{verdict.duplicate_runs} ran twice, though their pool kept the lease")
        if pool and not expired:
            verdict.red.append("no lease ended, so nothing was tried")
        yield verdict
