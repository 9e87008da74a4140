"""How things stand with what a rule watches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from postroom.jobs import calls
from postroom.jobs.broker import Broker
from postroom.jobs.calls import Call
from postroom.jobs.times import parse_rq_time, span
from postroom.scheduler.alerts.rules import Rule

PAGE = 500
"""Entries of the stream of burials that are counted at once."""
HEAD = 10
"""Ids at the head of a queue that are looked at: those of canceled jobs stay there until a claim meets them."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found."""

    bad: bool
    text: str
    """In words."""
    value: float | None = None
    """Dead letters, or seconds."""


def measure(broker: Broker, rule: Rule, now: float) -> Measured:
    """Look.

    Args:
        now: by the server's clock.

    Raises:
        BrokerError: the server was not reached, or a key is of a foreign type.
    """
    return _MEASURES[rule.kind](broker, rule, now)


def _dead(broker: Broker, rule: Rule, now: float) -> Measured:
    """Burials within the window, the newest first, and no more than it takes."""
    oldest, newest, count = f"{max(0, int((now - rule.within) * 1000))}-0", "+", 0
    while count < rule.limit:
        command = ("XREVRANGE", broker.keys.dead(), newest, oldest, "COUNT", PAGE)
        entries = broker.run(Call(command, list))
        count += sum(_buried(dict(zip(flat[::2], flat[1::2], strict=True)), rule.queue) for _, flat in entries)
        if len(entries) < PAGE:
            break
        newest = f"({entries[-1][0].decode()}"
    bad = count >= rule.limit
    more = " or more" if bad else ""
    return Measured(bad, f"{count:,}{more} dead letters{_of(rule)} within {span(rule.within)}", count)


def _buried(entry: dict[bytes, bytes], queue: str) -> int:
    if queue and entry.get(b"queue", b"").decode(errors="replace") != queue:
        return 0
    try:
        return len(msgspec.json.decode(entry.get(b"jobs", b"[]"), type=list[str]))
    except msgspec.MsgspecError:
        return 0


def _oldest(broker: Broker, rule: Rule, now: float) -> Measured:
    keys, queues = broker.keys, _queues(broker, rule)
    heads = broker.run_many([Call(("LRANGE", keys.queue(queue), 0, HEAD - 1), _texts) for queue in queues])
    ids = [(queue, job_id) for queue, head in zip(queues, heads, strict=True) for job_id in head]
    stored = broker.try_many([calls.read(keys, job_id, "status", "enqueued_at") for _, job_id in ids])
    ages: dict[str, float] = {}
    for (queue, _), fields in zip(ids, stored, strict=True):
        if isinstance(fields, dict) and fields["status"] == b"queued" and queue not in ages:
            ages[queue] = _since(fields["enqueued_at"], now)
    if not ages:
        return Measured(False, f"no job waits{_of(rule)}", 0.0)
    queue = max(ages, key=lambda name: ages[name])
    return Measured(
        ages[queue] >= rule.limit, f"a job has waited in queue {queue} for {span(ages[queue])}", ages[queue]
    )


def _no_worker(broker: Broker, rule: Rule, now: float) -> Measured:
    keys, queues = broker.keys, _queues(broker, rule)
    waiting, takers = _halves(
        broker.run_many(
            [calls.length(keys, queue) for queue in queues]
            + [Call(("SMEMBERS", keys.workers_of(queue)), _texts) for queue in queues]
        )
    )
    leases = broker.run(Call(("ZRANGE", keys.leases(), 0, -1, "WITHSCORES"), _leases))
    start = keys.worker("")
    names = sorted({key.removeprefix(start) for keys_ in takers for key in keys_})
    said = broker.run_many([Call(("HMGET", keys.worker(name), "queues", "p:queues", "death"), list) for name in names])
    alive = {
        name
        for name, (queues_, ours, death) in zip(names, said, strict=True)
        # Ours live by their lease, RQ's while their hash is there.
        if (leases.get(name, 0.0) > now if ours or name in leases else queues_ and not death)
    }
    left = [
        queue
        for queue, count, keys_ in zip(queues, waiting, takers, strict=True)
        # Where no queue is named, those are watched in which jobs wait.
        if (rule.queue or count) and not alive.intersection(key.removeprefix(start) for key in keys_)
    ]
    if left:
        return Measured(True, f"no live worker takes {'queue' if len(left) == 1 else 'queues'} {', '.join(left)}")
    return Measured(False, f"a worker takes {f'queue {rule.queue}' if rule.queue else 'every queue with jobs'}")


def _scheduler_silent(broker: Broker, rule: Rule, now: float) -> Measured:
    swept = broker.run(Call(("GET", broker.keys.swept()), lambda text: None if text is None else float(text)))
    if swept is None:
        return Measured(True, "no worker or scheduler ever did the duties")
    silent = max(0.0, now - swept)
    return Measured(silent >= rule.limit, f"the duties were done {span(silent)} ago", silent)


_MEASURES = {"dead": _dead, "oldest": _oldest, "no_worker": _no_worker, "scheduler_silent": _scheduler_silent}


def _queues(broker: Broker, rule: Rule) -> list[str]:
    return [rule.queue] if rule.queue else broker.run(calls.queue_names(broker.keys))


def _of(rule: Rule) -> str:
    return f" in queue {rule.queue}" if rule.queue else ""


def _since(text: bytes | None, now: float) -> float:
    try:
        return max(0.0, now - parse_rq_time((text or b"").decode(errors="replace")).timestamp())
    except ValueError:
        return 0.0


def _halves(replies: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    return replies[: len(replies) // 2], replies[len(replies) // 2 :]


def _texts(values: Sequence[bytes]) -> list[str]:
    return [value.decode(errors="replace") for value in values]


def _leases(flat: Sequence[Any]) -> dict[str, float]:
    return {name.decode(errors="replace"): float(end) for name, end in zip(flat[::2], flat[1::2], strict=True)}
