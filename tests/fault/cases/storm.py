"""Storms: worker processes, pools and whole hosts are killed while jobs run, at default settings."""

import signal
import time
from collections.abc import Iterator

from tests.fault.ground import Ground
from tests.fault.trial import Trial
from tests.fault.verdict import Verdict
from tests.integration.programs import Process

EVERY = 0.5
"""Seconds between two kills of a storm."""
AT_ONCE, LEASE_OVER = 1.0, 20.0
"""Seconds within which the jobs of a dead process run again: while its pool lives, and when nobody is left there."""


def storm(ground: Ground) -> Iterator[Verdict]:
    """kill -9 of a random worker process every half second, by several seeds."""
    for seed in range(ground.seed, ground.seed + (1 if ground.short else 3)):
        with Trial("storm", ground.url, seed, queues=3) as trial:
            pool = trial.pool("-p", "3", "-c", "4")
            producer = trial.produce(ground.jobs, "work", [0.001], batch=50)
            while producer.running or not trial.at_rest():
                time.sleep(EVERY)
                if children := trial.children(pool):
                    trial.send(trial.random.choice(children), signal.SIGKILL)
            yield trial.finish(pool, within=AT_ONCE)


def pool_killed(ground: Ground) -> Iterator[Verdict]:
    """kill -9 of a pool whose worker processes live and work: they end with it, and another host's pool takes over."""
    with Trial("pool killed", ground.url, ground.seed) as trial:
        doomed, other = trial.pool("-p", "2", "-c", "4"), trial.pool("-p", "1", "-c", "4")
        producer = busy(trial, ground.jobs // 10)
        trial.history.faults("orphaned", trial.children(doomed))
        trial.send(doomed.pid, signal.SIGKILL)
        yield taken_over(trial, producer, other)


def host_lost(ground: Ground) -> Iterator[Verdict]:
    """A pool and its worker processes are gone at one stroke, in the midst of jobs; another host's pool takes over."""
    with Trial("host lost", ground.url, ground.seed) as trial:
        doomed, other = trial.pool("-p", "2", "-c", "4"), trial.pool("-p", "1", "-c", "4")
        producer = busy(trial, ground.jobs // 10)
        trial.kill_all(doomed)
        yield taken_over(trial, producer, other)


def busy(trial: Trial, jobs: int) -> Process:
    """The producer of jobs that all processes have in their hands by now; more of them wait."""
    producer = trial.produce(jobs, "work", [0.05], batch=jobs)
    trial.wait(lambda: len(trial.history.all_runs()) >= 24, 10)
    return producer


def taken_over(trial: Trial, producer: Process, other: Process) -> Verdict:
    """The verdict, once the leases of the dead have ended, which must have held something."""
    producer.wait()
    trial.wait(lambda: trial.client.zcard(trial.keys.leases()) == 1, LEASE_OVER)
    verdict = trial.finish(other, within=LEASE_OVER)
    if not verdict.duplicate_runs:
        verdict.red.append("nobody died with a job")
    return verdict
