"""Limits while worker processes are killed: never more at once than there are places, and no place is lost."""

import signal
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set

from tests.fault.cases.controls import control
from tests.fault.ground import Ground
from tests.fault.history import PLACES, Step
from tests.fault.trial import Trial
from tests.fault.unfenced import UNLIMITED
from tests.fault.verdict import Verdict, some

EVERY = 0.4
"""Seconds between two kills."""
JOBS = 200
"""For so many there is one kill."""
EACH = 50
"""Jobs that share places."""
LONGEST = 300.0
"""Seconds for which a producer may go on when there are no more kills."""
TOO_MANY = "more at once than there are places"
NOTHING: Mapping[str, str] = {}
POOL = ("-p", "2", "-c", "8")


def limits(ground: Ground) -> Iterator[Verdict]:
    """kill -9 of a random worker process again and again, while jobs wait for places, are retried and put off; and with
    the look at the places taken out of the script, which must be seen.
    """
    yield killed("limits", ground)
    verdict = killed("limits: control without a look", ground, {UNLIMITED: "1"})
    yield control(verdict, any(TOO_MANY in reason for reason in verdict.red))


def killed(case: str, ground: Ground, environ: Mapping[str, str] = NOTHING) -> Verdict:
    """One trial."""
    count = max(4, ground.jobs // 8 // EACH)
    with Trial(case, ground.url, ground.seed, queues=2) as trial:
        pools = [trial.pool(*POOL, **environ) for _ in range(2)]
        said = (str(count), str(EACH), ",".join(trial.queues), f"{case} {ground.seed}")
        producer = trial.start("-m", "tests.fault.limits_producer", *said, **environ)
        kills = 0
        while pools[0].running and (producer.running or not trial.at_rest()):
            time.sleep(EVERY)
            children = [one for pool in pools for one in trial.children(pool)]
            if kills < max(4, ground.jobs / JOBS) and children:
                trial.send(trial.random.choice(children), signal.SIGKILL)
                kills += 1
        trial.wait(lambda: not producer.running, LONGEST)
        verdict = trial.finish(*pools)
        killed_pids = {fault.pid for fault in trial.history.all_faults() if fault.what == "SIGKILL"}
        verdict.red += some(TOO_MANY, list(too_many(trial.history.all_steps(), killed_pids)))
        if producer.wait() or verdict.acked != count * EACH:
            verdict.red.append(f"{verdict.acked} of {count * EACH} jobs were acknowledged: {producer.log[-200:]!r}")
        if not verdict.duplicate_runs:
            verdict.red.append(f"none of {kills} kills struck a job")
        return verdict


def too_many(steps: Sequence[Step], killed: Set[int]) -> Iterator[str]:
    """Each start of a job when all places of its key were taken, by the lines of the handlers alone.

    Args:
        killed: the processes that were killed: what one of them began is over without a line, nobody knows when.
    """
    running: dict[str, set[str]] = defaultdict(set)
    for step in steps:
        there = running[step.key]
        there.discard(step.job_id)
        if step.what != "start" or not killed.isdisjoint({step.pid, step.parent}):
            continue
        if len(there) >= PLACES:
            yield f"{step} beside {sorted(there)}"
        there.add(step.job_id)
