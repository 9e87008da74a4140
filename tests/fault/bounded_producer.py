"""A producer of jobs with deadlines, and of trees: `python -m tests.fault.bounded_producer COUNT TREES QUEUES SEED`.

Some deadlines pass while their jobs wait. Half of the trees are canceled by somebody who dies after the first call.
"""

import random
import sys
import time

from postroom.jobs import calls
from tests.fault.program import app, history

LASTS = 0.1
"""Seconds of a handler."""
SPAN = (0.2, 10.0)
"""Seconds of the deadlines."""
PATIENCE = 20.0
"""Seconds until a tree has begun, so that it has children."""


def main(count: int, each: int, queues: list[str], seed: str) -> None:
    """Enqueue `count` jobs, one of `each` a tree, and cancel the trees: each while it runs, or when it has ended."""
    chance = random.Random(seed)  # noqa: S311
    trees = []
    for n in range(count):
        queue = chance.choice(queues)
        if n % each:
            job = app.using("bounded", queue=queue, deadline=chance.uniform(*SPAN)).enqueue(LASTS)
        else:
            job = app.using("tree", queue=queue, deadline=600, at_front=True).enqueue(LASTS)
            trees.append(job)
        history.acked(job.id)
    for job in trees:
        end = time.monotonic() + PATIENCE
        while job.status() == "queued" and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, LASTS / 2))
        if chance.random() < 0.5:  # it dies, and the rest is left to the duty
            app.broker.run(calls.cancel(app.keys, job.id))
        else:
            job.cancel()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].split(","), sys.argv[4])
