"""Who lives: our worker processes by their leases, RQ's workers by RQ's own keys."""

from collections.abc import Mapping, Sequence
from typing import Any

from postroom.jobs import calls
from postroom.jobs.broker import Broker
from postroom.jobs.calls import Call
from postroom.jobs.keys import Keys
from postroom.monitor.facts import WorkerFacts


def ask(broker: Broker, asked: Mapping[str, Call[Any]]) -> dict[str, Any]:
    """The replies of several calls, each under its call's name."""
    return dict(zip(asked, broker.run_many(list(asked.values())), strict=True))


def alive(broker: Broker) -> tuple[WorkerFacts, ...]:
    """All workers that live.

    Raises:
        BrokerError: the server was not reached, or a key is of a foreign type.
    """
    who = ask(broker, ask_who(broker.keys))
    found = names(who, broker.keys)
    return living(found, who | ask(broker, ask_what(broker.keys, found)))


def ask_who(keys: Keys) -> dict[str, Call[Any]]:
    """The calls whose replies `names` reads."""
    return {
        "now": calls.server_time(),
        "leases": Call(("ZRANGE", keys.leases(), 0, -1, "WITHSCORES"), _leases),
        "workers": Call(("SMEMBERS", keys.workers()), calls.texts),
    }


def names(replies: Mapping[str, Any], keys: Keys) -> list[str]:
    """The workers to look at: those with a lease, and those that RQ's readers know."""
    start = keys.worker("")
    listed = {key.removeprefix(start) for key in replies["workers"] if key.startswith(start)}
    return sorted(listed | set(replies["leases"]))


def ask_what(keys: Keys, found: Sequence[str]) -> dict[str, Call[Any]]:
    """The calls whose replies `living` reads, one for each of `names`."""
    return {f"worker {name}": Call(("HGETALL", keys.worker(name)), _hash) for name in found}


def living(found: Sequence[str], replies: Mapping[str, Any]) -> tuple[WorkerFacts, ...]:
    """Those that live. `replies`: of both questions."""
    workers = (_worker(name, replies[f"worker {name}"], replies) for name in found)
    return tuple(worker for worker in workers if worker is not None)


def _worker(name: str, said: Mapping[str, str], replies: Mapping[str, Any]) -> WorkerFacts | None:
    if name in replies["leases"] or "p:queues" in said:
        if replies["leases"].get(name, 0.0) <= replies["now"]:
            return None
        return WorkerFacts(
            name=name,
            announced="p:queues" in said,
            host=said.get("hostname", ""),
            pid=_number(said.get("pid")),
            code=said.get("p:code", ""),
            queues=tuple(said.get("p:queues", "").split()),
            threads=_number(said.get("p:threads")),
            tasks=said.get("p:tasks", ""),
        )
    if not said or "death" in said:
        return None
    queues = tuple(filter(None, said.get("queues", "").split(",")))
    return WorkerFacts(name=name, kind="rq", host=said.get("hostname", ""), pid=_number(said.get("pid")), queues=queues)


def _leases(flat: Sequence[Any]) -> dict[str, float]:
    return {_text(name): float(end) for name, end in zip(flat[::2], flat[1::2], strict=True)}


def _hash(flat: Sequence[Any]) -> dict[str, str]:
    return dict(zip(map(_text, flat[::2]), map(_text, flat[1::2]), strict=True))


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() and len(text) < 10 else 0
