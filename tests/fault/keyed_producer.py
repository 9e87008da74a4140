"""A producer of jobs with keys: `python -m tests.fault.keyed_producer KEYS EACH QUEUES SEED`.

The jobs of a key are numbered in the order of their enqueue, go to any queue, and some fail at first, or are put off.
"""

import random
import sys

from tests.fault.program import app, history

SOME = 0.1
"""Of the jobs so many fail once, and so many are put off."""
OFF = 0.2
"""Seconds by which those are put off."""
LASTS = 0.02
"""Seconds of a handler."""
BATCH = 3
"""Jobs of one key in a batch."""


def main(keys: int, each: int, queues: list[str], seed: str) -> None:
    """Enqueue `each` jobs of each of `keys` keys, the keys in turn: one by one, and then in a batch."""
    chance = random.Random(seed)  # noqa: S311
    for number in range(each - BATCH):
        for key in range(keys):
            delay, fails = OFF * (chance.random() < SOME), int(chance.random() < SOME)
            prepared = app.using("ordered", key=f"k{key}", queue=chance.choice(queues), delay=delay)
            history.acked(prepared.enqueue(f"k{key}", number, fails, LASTS).id)
    for key in range(keys):
        batch = [(f"k{key}", number, 0, LASTS) for number in range(each - BATCH, each)]
        history.acked(*app.using("ordered", key=f"k{key}", queue=chance.choice(queues)).enqueue_many(batch))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].split(","), sys.argv[4])
