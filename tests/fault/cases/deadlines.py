"""Deadlines and trees of jobs while worker processes are killed: nothing begins late, and canceled trees end."""

import signal
import time
from collections.abc import Iterator, Mapping, Sequence

from tests.fault.cases.controls import control
from tests.fault.ground import Ground
from tests.fault.history import BOUNDS
from tests.fault.trial import Trial
from tests.fault.unfenced import UNBOUNDED
from tests.fault.verdict import Verdict, some

EVERY = 0.4
"""Seconds between two kills."""
JOBS = 50
"""For so many there is one kill."""
TREES = 10
"""One job of so many is a tree."""
LATE = "began after their deadline"
SLACK = 0.5
"""Seconds between the worker's last look at the deadline and the handler's at the server's clock, on a busy machine."""
NOTHING: Mapping[str, str] = {}
POOL = ("-p", "2", "-c", "2")


def deadlines(ground: Ground) -> Iterator[Verdict]:
    """kill -9 of a random worker process again and again, among jobs whose deadlines pass while they wait, and trees
    that are canceled, half of them by somebody who dies after the first call; and with the look at the deadline taken
    out, which must be seen.
    """
    for seed in range(ground.seed, ground.seed + (1 if ground.short else 3)):
        yield killed("deadlines", ground, seed)
    verdict = killed("deadlines: control without a look", ground, ground.seed, environ={UNBOUNDED: "1"})
    yield control(verdict, any(LATE in reason for reason in verdict.red))


def killed(case: str, ground: Ground, seed: int, *, environ: Mapping[str, str] = NOTHING) -> Verdict:
    """One trial."""
    count = max(500, ground.jobs // 10)
    with Trial(case, ground.url, seed, queues=2) as trial:
        said = (str(count), str(TREES), ",".join(trial.queues), f"{case} {seed}")
        producer = trial.start("-m", "tests.fault.bounded_producer", *said)
        time.sleep(EVERY)  # a backlog, so that deadlines pass
        pools = [trial.pool(*POOL, **environ) for _ in range(2)]
        kills = 0
        while producer.running or not trial.at_rest():
            time.sleep(EVERY)
            if kills < count / JOBS and (children := [one for pool in pools for one in trial.children(pool)]):
                trial.send(trial.random.choice(children), signal.SIGKILL)
                kills += 1
            if time.monotonic() - trial.began > 120:
                break  # the verdict will say so
        verdict = trial.finish(*pools)
        verdict.red += some(LATE, list(late(trial.history.notes(BOUNDS))))
        if verdict.acked < count + count // TREES:
            verdict.red.append(f"{verdict.acked - count} children of {count // TREES} trees: too few")
        if not verdict.duplicate_runs:
            verdict.red.append(f"none of {kills} kills struck a job")
        told = [event.what for event in trial.history.all_events()]
        for what in ("expired", "canceled", "finished"):
            if what not in told:
                verdict.red.append(f"nothing was {what}, so nothing was tried")
        if producer.wait():
            verdict.red.append(f"the producer failed: {producer.log[-200:]!r}")
        return verdict


def late(bounds: Sequence[str]) -> Iterator[str]:
    """Jobs that began after their deadline, or have a later one than the job that made them."""
    for line in bounds:
        job_id, ends, began, parents = line.split()
        if ends == "None" or float(began) > float(ends) + SLACK:
            yield f"job {job_id} began at {began}, its deadline was {ends}"
        elif float(ends) > float(parents):
            yield f"job {job_id} has the deadline {ends}, later than its parent's {parents}"
