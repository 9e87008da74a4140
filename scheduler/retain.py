"""The duty of retention: what is past its time, or beyond its number or its bytes, is forgotten."""

from postroom.jobs import calls, events
from postroom.jobs.app import Postroom

BATCH = 500
RECORD_AGE = 86_400
"""Seconds that events stay on the record."""
RECORD_BYTES = 64_000_000
"""The most bytes of the record, between two rounds of the duty aside."""


class Retain:
    """Sweeps the registries of every queue, and the record of events."""

    every = 10.0

    def do(self, app: Postroom) -> None:
        """One round: a script per queue; again for those that had a full batch."""
        queues = app.broker.run(calls.queue_names(app.keys))
        while queues:
            kept = (app.settings.canceled_ttl, app.settings.keep_dead)
            gone = app.broker.try_many([calls.retain(app.keys, queue, *kept, BATCH) for queue in queues])
            queues = [queue for queue, count in zip(queues, gone, strict=True) if count == BATCH]
        if app.settings.events == "on":
            app.broker.run(events.keep(app.keys))
        app.broker.run(events.prune(app.keys, RECORD_AGE, RECORD_BYTES))
