"""Where a job stands in the line of a limit, and when its turn may come."""

from collections.abc import Mapping
from typing import Any

from postroom.jobs import calls
from postroom.jobs.calls import Call
from postroom.jobs.keys import Keys
from postroom.monitor.facts import LimitFacts


def ask_limit(keys: Keys, limit: str, job_id: str) -> dict[str, Call[Any]]:
    """Its place, and how the limit stands."""
    return {
        "limited before": Call(("ZRANK", keys.limited(limit), job_id), lambda place: place),
        "limit rule": Call(("HGET", keys.limits(), limit.partition("\t")[0]), _text),
        "limit taken": Call(("ZCARD", keys.limit(limit)), int),
        "limit oldest": Call(("ZRANGE", keys.limit(limit), 0, 0, "WITHSCORES"), calls.texts),
        "limit full": Call(("GET", keys.rate(limit)), _text),
    }


def limit_facts(limit: str, replies: Mapping[str, Any]) -> LimitFacts | None:
    """What the replies say; None where the job does not wait for a place."""
    if replies.get("limited before") is None:
        return None
    most, every, burst = (replies["limit rule"] or "0 0 1").split()
    oldest, since = (*replies["limit oldest"], "", "")[:2]
    opens = float(replies["limit full"] or 0) - float(every) * (int(burst) - 1) - replies["now"]
    return LimitFacts(
        name=shown(limit),
        concurrency=int(most),
        interval=float(every),
        taken=replies["limit taken"],
        oldest=oldest,
        held=replies["now"] - float(since) if since else None,
        before=replies["limited before"],
        opens=max(0.0, opens),
    )


def shown(limit: str) -> str:
    """`of task shop.mail (customer-7)`, `of queue mail`, `stripe`."""
    name, _, key = limit.partition("\t")
    kind, colon, of = name.partition(":")
    return (f"of {kind} {of}" if colon else name) + (f" ({key})" if key else "")


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode(errors="replace")
