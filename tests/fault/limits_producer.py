"""A producer of limited jobs: `python -m tests.fault.limits_producer KEYS EACH QUEUES SEED`.

The jobs of a key share some places, go to any queue, and some fail at first, or are put off.
"""

import random
import sys

from tests.fault.program import app, history

SOME = 0.1
"""Of the jobs so many fail once, and so many are put off."""
OFF = 0.2
"""Seconds by which those are put off."""
LASTS = 0.03
"""Seconds of a handler."""


def main(keys: int, each: int, queues: list[str], seed: str) -> None:
    """Enqueue `each` jobs of each of `keys` keys, the keys in turn."""
    chance = random.Random(seed)  # noqa: S311
    for number in range(each):
        for key in range(keys):
            delay, fails = OFF * (chance.random() < SOME), int(chance.random() < SOME)
            prepared = app.using("crowded", queue=chance.choice(queues), delay=delay)
            history.acked(prepared.enqueue(f"c{key}", number, fails, LASTS).id)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].split(","), sys.argv[4])
