"""The gauges: how each queue and the workers of a server stand, in a few round trips, for metrics."""

from collections.abc import Collection
from dataclasses import dataclass

from postroom.jobs import calls
from postroom.jobs.broker import Broker
from postroom.jobs.calls import Call
from postroom.monitor import workers
from postroom.monitor.ages import oldest_ages
from postroom.monitor.counts import count_jobs

OTHER = "other"
"""The name under which the queues are summed up that were not asked for."""
HEAD = 10
"""Ids at the head of a queue that are looked at for its oldest job: every pool does this with every scrape."""


@dataclass(slots=True)
class QueueGauges:
    """One queue, or several."""

    depth: int = 0
    """Ids that may be claimed."""
    running: int = 0
    scheduled: int = 0
    declined: int = 0
    """Those that wait for a worker whose code may run them."""
    deferred: int = 0
    """Jobs that wait for their key, or for other jobs."""
    dead: int = 0
    expired: int = 0
    """Jobs whose deadline passed before they were begun, within `Settings.canceled_ttl`."""
    oldest: float = 0.0
    """Seconds that the oldest job in line has waited; 0: none waits."""
    paused: int = 0


@dataclass(frozen=True, slots=True)
class Gauges:
    """What one server says."""

    queues: dict[str, QueueGauges]
    workers: int
    """Live worker processes, of this pool and all others."""


def read_gauges(broker: Broker, named: Collection[str]) -> Gauges:
    """The gauges of the queues that are named, each by its name, and of all others together.

    Raises:
        BrokerError: the server was not reached, or a key is of a foreign type.
    """
    known, paused, now = broker.run_many(
        [
            calls.queue_names(broker.keys),
            Call(("SMEMBERS", broker.keys.paused()), lambda names: set(calls.texts(names))),
            calls.server_time(),
        ]
    )
    names = sorted({*known, *named})
    ages = oldest_ages(broker, names, now, HEAD)
    found = {name: QueueGauges() for name in (*sorted(named), OTHER)}
    for counts in count_jobs(broker, names):
        mine = found[counts.name if counts.name in found else OTHER]
        mine.depth += counts.queued
        mine.running += counts.started
        mine.scheduled += counts.scheduled
        mine.declined += counts.declined
        mine.deferred += counts.deferred
        mine.dead += counts.failed
        mine.expired += counts.expired
        mine.oldest = max(mine.oldest, ages.get(counts.name, 0.0))
        mine.paused += counts.name in paused
    return Gauges(found, len(workers.alive(broker)))
