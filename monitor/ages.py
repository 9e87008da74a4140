"""How long jobs have waited in line."""

from collections.abc import Sequence

from postroom.jobs import calls
from postroom.jobs.broker import Broker
from postroom.jobs.calls import Call
from postroom.jobs.times import age

HEAD = 100
"""Ids at the head of a queue that are looked at: canceled ones stay there until a claim meets them, younger ones
may stand in front.
"""


def oldest_ages(broker: Broker, queues: Sequence[str], now: float, head: int = HEAD) -> dict[str, float]:
    """For each queue in which a job waits, the seconds that its oldest one has.

    Args:
        now: by the server's clock.
        head: how many ids of each queue to look at.

    Raises:
        BrokerError: the server was not reached, or a key is of a foreign type.
    """
    keys = broker.keys
    heads = broker.run_many([Call(("LRANGE", keys.queue(queue), 0, head - 1), calls.texts) for queue in queues])
    ids = [(queue, job_id) for queue, some in zip(queues, heads, strict=True) for job_id in some]
    stored = broker.try_many([calls.read(keys, job_id, "status", "enqueued_at") for _, job_id in ids])
    ages: dict[str, float] = {}
    for (queue, _), fields in zip(ids, stored, strict=True):
        if isinstance(fields, dict) and fields["status"] == b"queued":
            ages[queue] = max(ages.get(queue, 0.0), age(fields["enqueued_at"], now) or 0.0)
    return ages
