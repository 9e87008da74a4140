"""What the tables of limits share."""

from typing import Any

from tests.lua.table import AT, ZSet, job

PLACES, LINED, RATE, BUSY, DUE = (
    *("postroom:limit:r", "postroom:limited:r", "postroom:rate:r"),
    *("postroom:limits:busy", "postroom:limits:due"),
)


def rule(concurrency: int = 0, every: float = 0, burst: int = 1, name: str = "r") -> dict[str, Any]:
    """What the limit allows."""
    return {"postroom:limits": {name: f"{concurrency} {every:g} {burst}"}}


def limited(status: str = "queued", limits: str = "r", **fields: Any) -> dict[str, str]:
    """The hash of a job with limits."""
    return job(status, **{"p_limits": limits, **fields})


def parked(*ids: str, queue: str = "q", limits: str = "r", of: str = "r", since: float = 900.0) -> dict[str, Any]:
    """Jobs that wait in line, and their registry."""
    hashes = {f"rq:job:{one}": limited("deferred", limits, p_limited=of, origin=queue) for one in ids}
    line = ZSet({one: since + place / 1_000_000 for place, one in enumerate(ids, 1)})
    return {**hashes, f"postroom:limited:{of}": line, f"rq:deferred:{queue}": ZSet(dict.fromkeys(ids, since))}


def woken(limits: str = "+r", **fields: Any) -> dict[str, str]:
    """The hash of a job that waited in line and has got its place."""
    return limited("queued", limits, enqueued_at=AT, **fields)
