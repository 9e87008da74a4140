"""How many jobs are where."""

from dataclasses import asdict, dataclass
from typing import Any

from postroom.jobs import calls
from postroom.jobs.broker import Broker


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """The jobs of one queue by state. `queued` counts ids on the list, also canceled ones that no claim has met yet."""

    name: str
    queued: int
    started: int
    scheduled: int
    deferred: int
    finished: int
    failed: int
    canceled: int
    declined: int
    """Those that wait for a worker whose code may run them."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def count_jobs(broker: Broker, names: list[str] | None = None) -> list[QueueCounts]:
    """The counts of each queue (default: all that ever had a job), in one round trip.

    Raises:
        Unavailable: the server was not reached.
    """
    keys = broker.keys
    names = broker.run(calls.queue_names(keys)) if names is None else names
    asked: list[calls.Call[int]] = []
    for name in names:
        asked.append(calls.Call(("LLEN", keys.queue(name)), int))
        registries = (
            *(keys.wip, keys.scheduled, keys.deferred, keys.finished, keys.failed, keys.canceled),
            keys.declined,
        )
        asked += [calls.Call(("ZCARD", registry(name)), int) for registry in registries]
    counts = broker.run_many(asked)
    return [QueueCounts(name, *counts[8 * i : 8 * i + 8]) for i, name in enumerate(names)]
