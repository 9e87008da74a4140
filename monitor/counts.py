"""How many jobs are where."""

from dataclasses import asdict, dataclass, replace
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
    expired: int
    """Those whose deadline passed before they were begun; `canceled` does not count them."""

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
            *(keys.declined, keys.expired),
        )
        asked += [calls.Call(("ZCARD", registry(name)), int) for registry in registries]
    counts = broker.run_many(asked)
    found = [QueueCounts(name, *counts[9 * i : 9 * i + 9]) for i, name in enumerate(names)]
    # Those stand among the canceled ones, too; some may have come between the two looks.
    return [replace(one, canceled=max(0, one.canceled - one.expired)) for one in found]
