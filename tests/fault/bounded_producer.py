"""A producer of jobs with deadlines and of trees of jobs: `python -m tests.fault.bounded_producer COUNT QUEUES SEED`.

Some deadlines pass while their jobs wait. Half of the trees are canceled by somebody who dies after the first call.
"""

import random
import sys
import time

from postroom.jobs import calls
from tests.fault.program import app, history

TREES = 10
"""One job of so many is a tree."""
LASTS = 0.02
"""Seconds of a handler."""
SPAN = (0.1, 6.0)
"""Seconds of the deadlines."""


def main(count: int, queues: list[str], seed: str) -> None:
    """Enqueue `count` jobs, and cancel the trees."""
    chance = random.Random(seed)  # noqa: S311
    trees = []
    for n in range(count):
        queue = chance.choice(queues)
        if n % TREES == 0:
            job = app.using("tree", queue=queue, deadline=600).enqueue(10 * LASTS)
            trees.append(job)
        else:
            job = app.using("bounded", queue=queue, deadline=chance.uniform(*SPAN)).enqueue(LASTS)
        history.acked(job.id)
        if len(trees) > TREES:
            cancel(trees.pop(0).id, dies=chance.random() < 0.5)
    time.sleep(1)
    for job in trees:
        cancel(job.id, dies=chance.random() < 0.5)


def cancel(job_id: str, *, dies: bool) -> None:
    """Cancel a tree."""
    if dies:  # the rest is left to the duty
        app.broker.run(calls.cancel(app.keys, job_id))
    else:
        app.job(job_id).cancel()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2].split(","), sys.argv[3])
