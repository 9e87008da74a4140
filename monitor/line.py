"""Where a job stands in the line of its key, and who holds that key."""

from collections.abc import Mapping
from typing import Any

from postroom.jobs import calls
from postroom.jobs.calls import Call
from postroom.jobs.keys import Keys
from postroom.jobs.times import age
from postroom.monitor.facts import LineFacts, WaitsFor


def ask_line(keys: Keys, key: str, job_id: str) -> dict[str, Call[Any]]:
    """Its place, and who is first."""
    line = keys.line(key)
    return {
        "before": Call(("ZRANK", line, job_id), lambda place: place),
        "holder": Call(("ZRANGE", line, 0, 0), lambda ids: calls.texts(ids)[0] if ids else None),
    }


def ask_holder(keys: Keys, holder: str) -> dict[str, Call[Any]]:
    """How the one stands that is first."""
    return {"held by": calls.read(keys, holder, "status", "worker_name", "p:turn")}


def line_facts(key: str, replies: Mapping[str, Any]) -> LineFacts | None:
    """What the replies say; None where the job is not in the line behind another."""
    if not replies.get("before") or not replies.get("held by"):
        return None
    holder = replies["held by"]
    status, worker = ((holder[name] or b"").decode(errors="replace") for name in ("status", "worker_name"))
    return LineFacts(
        key=key,
        before=replies["before"],
        holder=WaitsFor(id=replies["holder"], status=status, worker=worker),
        held=age(holder["p:turn"], replies["now"]),
    )
