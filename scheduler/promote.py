"""The duty of promoting: scheduled jobs that are due go to their queues, and those whose rate lets them begin."""

import time

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.errors import BrokerError
from postroom.jobs.keys import Keys
from postroom.jobs.limit_calls import permit

BATCH = 500
LOOK = 0.2
"""Seconds after which a queue is looked at, whatever it said when its next job is due: there may be a nearer one."""
RARELY = 1.0
"""The same of limits' rates, where the app has no limits: others may have them."""
LEAST = 0.01
"""Seconds between two looks at a queue whose jobs come due one after the other: they go in batches, not one by one."""
PAUSE = 0.002
"""Seconds after a full batch. After an outage a million may be due, and the server has others to serve."""
TURN = 0.5
"""Seconds for which one process promotes for all. Longer than NAMES: whoever has the turn keeps it while it lives."""
NAMES = 0.35
"""Seconds after which the turn is kept, and it is asked which queues there are."""


LIMITS = ""
"""Stands among the queues for the rates of limits: no queue is called so."""


class Promote:
    """Moves due jobs of every queue, each when it is due: a queue says when its next one is.

    One process does it at a time, which spares the server the looks of the others. It is no leader: where two take
    the turn at once, both move what is due, and no job twice.
    """

    every = LOOK

    def __init__(self) -> None:
        self._looks: dict[str, float] = {}
        """When each queue is to be looked at, by time.monotonic()."""
        self._named = self._turn = 0.0
        """Until when the names of the queues are good, and the turn is ours."""

    def do(self, app: Postroom) -> float:
        """One round: a script per queue, in one round trip. Returns the seconds until the next."""
        now = time.monotonic()
        if now >= self._named:
            ours, queues = app.broker.run_many(
                [calls.turn(app.keys, "promote", TURN, again=now < self._turn), calls.queue_names(app.keys)]
            )
            if not ours:
                return LOOK
            self._turn = now + TURN
            self._named = now + NAMES
            self._looks = {queue: self._looks.get(queue, now) for queue in (LIMITS, *queues)}
        due = [queue for queue, when in self._looks.items() if when <= now]
        replies = app.broker.try_many([_call(app.keys, queue) for queue in due]) if due else []
        now = time.monotonic()
        for queue, reply in zip(due, replies, strict=True):
            most = RARELY if queue == LIMITS and not app.rules else LOOK
            self._looks[queue] = now + (most if isinstance(reply, BrokerError) else _wait(reply[0], reply[1], most))
        return min(self._looks.values(), default=now + LOOK) - now


def _call(keys: Keys, queue: str) -> calls.Call[tuple[int, float]]:
    return calls.promote(keys, queue, BATCH) if queue != LIMITS else permit(keys, BATCH)


def _wait(moved: int, following: float, most: float) -> float:
    """Seconds until a queue is looked at again, which moved so many and has its next due in so many seconds."""
    return PAUSE if moved == BATCH else min(max(following, LEAST), most)
