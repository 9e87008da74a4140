"""The duty of promoting: scheduled jobs that are due go to their queues."""

from postroom.jobs import calls
from postroom.jobs.app import Postroom

BATCH = 500


class Promote:
    """Moves due jobs of every queue."""

    every = 0.2

    def do(self, app: Postroom) -> None:
        """One round: a script per queue, in one round trip; again for those that had a full batch."""
        queues = app.broker.run(calls.queue_names(app.keys))
        while queues:
            moved = app.broker.try_many([calls.promote(app.keys, queue, BATCH) for queue in queues])
            queues = [queue for queue, count in zip(queues, moved, strict=True) if count == BATCH]
