"""Where a job stands in the line of its key, and who holds that key; and the lock of one that is unique."""

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


def ask_lock(keys: Keys, unique: str) -> dict[str, Call[Any]]:
    """Which job took its lock last."""
    lock = unique.partition(" ")[2]
    return {"lock of": Call(("HGET", keys.unique(), lock), lambda job: job and job.decode())} if lock else {}


def lock_facts(unique: str, job_id: str, status: str, replies: Mapping[str, Any]) -> str:
    """The lock that it holds; '' where it has none, or holds it no more. As lib/unique.lua has it."""
    scope, _, lock = unique.partition(" ")
    waits = status in {"queued", "created", "scheduled", "deferred"}
    holds = {"queued": waits, "running": waits or status == "started"}
    holds["success"] = holds["running"] or (status == "failed" and replies.get("score") is not None)
    if not lock or replies.get("lock of") != job_id:
        return ""
    if scope.replace(".", "", 1).isdigit():
        return lock if status != "canceled" and replies["now"] < float(scope) else ""
    return lock if holds.get(scope, holds["running"]) else ""
