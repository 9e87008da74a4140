"""Unique jobs while worker processes are killed: one job of a lock at a time, and no lock outlives its job."""

import signal
import time
from collections.abc import Iterator, Mapping, Sequence, Set

from tests.fault.cases.controls import control
from tests.fault.ground import Ground
from tests.fault.history import Step
from tests.fault.trial import Trial
from tests.fault.unfenced import UNHELD
from tests.fault.verdict import Verdict, some

EVERY = 0.4
"""Seconds between two kills."""
JOBS = 200
"""For so many there is one kill."""
LOCKS = 12
TWO_AT_ONCE = "two jobs of a lock at once"
NOTHING: Mapping[str, str] = {}
POOL = ("-p", "2", "-c", "4")


def unique(ground: Ground) -> Iterator[Verdict]:
    """kill -9 of a random worker process again and again, while jobs of some locks are enqueued over and over; and with
    the look at who holds a lock taken out of the script, which must be seen.
    """
    yield killed("unique", ground)
    verdict = killed("unique: control without lock", ground, {UNHELD: "1"})
    yield control(verdict, any(TWO_AT_ONCE in reason for reason in verdict.red))


def killed(case: str, ground: Ground, environ: Mapping[str, str] = NOTHING) -> Verdict:
    """One trial."""
    rounds = max(20, ground.jobs // LOCKS)
    with Trial(case, ground.url, ground.seed, queues=2) as trial:
        pools = [trial.pool(*POOL, **environ) for _ in range(2)]
        said = (str(LOCKS), str(rounds), ",".join(trial.queues), f"{case} {ground.seed}")
        producer = trial.start("-m", "tests.fault.unique_producer", *said, **environ)
        kills = 0
        while pools[0].running and (producer.running or not trial.at_rest()):
            time.sleep(EVERY)
            children = [one for pool in pools for one in trial.children(pool)]
            if kills < max(4, ground.jobs / JOBS) and children:
                trial.send(trial.random.choice(children), signal.SIGKILL)
                kills += 1
        verdict = trial.finish(*pools)
        steps = trial.history.all_steps()
        dead = {event.job_id for event in trial.history.all_events() if event.what == "buried"}
        verdict.red += some(TWO_AT_ONCE, list(at_once(steps, dead)))
        if producer.wait() or verdict.acked <= LOCKS:
            verdict.red.append(f"a lock was not free in the end, or no job was made twice: {producer.log[-200:]!r}")
        if not verdict.duplicate_runs:
            verdict.red.append(f"none of {kills} kills struck a job")
        return verdict


def at_once(steps: Sequence[Step], dead: Set[str]) -> Iterator[str]:
    """Each start of a job of a lock before the one before it had ended, by the lines of the handlers alone.

    Args:
        dead: jobs that became dead letters.
    """
    last: dict[str, Step] = {}
    for step in steps:
        before = last.get(step.key)
        last[step.key] = step
        other = before is not None and before.job_id != step.job_id
        if before and other and before.what != "end" and before.job_id not in dead:
            yield f"lock {step.key}: {before} and then {step}"
