"""A producer of unique jobs: `python -m tests.fault.unique_producer LOCKS ROUNDS QUEUES SEED`.

Of each lock it enqueues again and again; what is no duplicate is acknowledged. It ends when each was free once more.
"""

import random
import sys
import time

from tests.fault.program import app, history

SOME = 0.1
"""Of the jobs so many fail once."""
LASTS = 0.1
"""Seconds of a handler."""
PAUSE = 0.05
"""Seconds between two rounds, and between two looks in the end."""


def main(locks: int, rounds: int, queues: list[str], seed: str) -> None:
    """Enqueue in `rounds` rounds, and once more for each lock when it is free."""
    chance = random.Random(seed)  # noqa: S311

    def enqueue(lock: int, number: int) -> bool:
        prepared = app.using("ordered", queue=chance.choice(queues), unique="running", unique_by=f"u{lock}")
        job = prepared.enqueue(f"u{lock}", number, int(chance.random() < SOME), LASTS)
        if not job.duplicate:
            history.acked(job.id)
        return not job.duplicate

    for number in range(rounds):
        for lock in range(locks):
            enqueue(lock, number)
        time.sleep(PAUSE)
    for lock in range(locks):
        while not enqueue(lock, rounds):
            time.sleep(PAUSE)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].split(","), sys.argv[4])
