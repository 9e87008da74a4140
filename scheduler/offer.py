"""The duty of offering: declined jobs go back to their queues when a worker has come whose code may run them."""

from postroom.jobs import calls
from postroom.jobs.app import Postroom

BATCH = 500


class Offer:
    """Offers the declined jobs of every queue."""

    every = 1.0

    def do(self, app: Postroom) -> None:
        """One round: a script per queue, in one round trip; again for those that had a full batch."""
        queues = app.broker.run(calls.queue_names(app.keys))
        while queues:
            moved = app.broker.try_many([calls.offer(app.keys, queue, BATCH) for queue in queues])
            queues = [queue for queue, count in zip(queues, moved, strict=True) if count == BATCH]
