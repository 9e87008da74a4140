"""Storms: worker processes are killed at random while jobs run."""

import signal
import time
from collections.abc import Iterator

from tests.fault.ground import Ground
from tests.fault.trial import Trial
from tests.fault.verdict import Verdict

EVERY = 0.5
"""Seconds between two kills."""


def storm(ground: Ground) -> Iterator[Verdict]:
    """kill -9 of a random worker process every half second while jobs are enqueued and run."""
    with Trial("storm", ground.url, ground.seed, queues=3) as trial:
        pool = trial.pool("-p", "3", "-c", "4")
        producer = trial.produce(ground.jobs, "work", [0.001], batch=50)
        while producer.running or not trial.at_rest():
            time.sleep(EVERY)
            if children := trial.children(pool):
                trial.send(trial.random.choice(children), signal.SIGKILL)
        yield trial.finish(pool, within=1.0)
