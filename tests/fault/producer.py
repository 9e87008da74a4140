"""A producer in a process of its own: `python -m tests.fault.producer TASK COUNT BATCH QUEUES ARGS`.

An id is written to the history when its job was acknowledged, and not before. ARGS is the JSON list of each job's.
"""

import json
import sys

from tests.fault.program import app, history


def main(task: str, count: int, batch: int, queues: list[str], args: list[object]) -> None:
    """Enqueue `count` jobs on the queues in turn, `batch` in a call."""
    sent = turn = 0
    while sent < count:
        size = min(batch, count - sent)
        prepared = app.using(task, queue=queues[turn % len(queues)])
        if size == 1:
            history.acked(prepared.enqueue(*args).id)
        else:
            history.acked(*prepared.enqueue_many([args] * size))
        sent += size
        turn += 1


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4].split(","), json.loads(sys.argv[5]))
