"""The duty of retention: what is past its time, or beyond its number, is forgotten."""

from postroom.jobs import calls
from postroom.jobs.app import Postroom

BATCH = 500


class Retain:
    """Sweeps the registries of every queue."""

    every = 10.0

    def do(self, app: Postroom) -> None:
        """One round: a script per queue; again for those that had a full batch."""
        queues = app.broker.run(calls.queue_names(app.keys))
        while queues:
            kept = (app.settings.canceled_ttl, app.settings.keep_dead)
            gone = app.broker.try_many([calls.retain(app.keys, queue, *kept, BATCH) for queue in queues])
            queues = [queue for queue, count in zip(queues, gone, strict=True) if count == BATCH]
