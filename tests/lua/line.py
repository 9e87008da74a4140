"""What the tables of order per key share."""

from typing import Any

from tests.lua.table import AT, ZSet, job

LINE, BUSY = "postroom:key:k", "postroom:keys"
INF = float("inf")
CLAIM: dict[str, Any] = {"worker_name": "w1", "p_token": 7}
"""Of a job in the hands of w1."""


def line(*ids: str) -> ZSet:
    """The line of a key, as it came."""
    return ZSet({job_id: place for place, job_id in enumerate(ids, 1)})


def keyed(status: str, **fields: Any) -> dict[str, str]:
    """The hash of a job with the key k."""
    return job(status, **{"p_key": "k", **fields})


def waiting(*ids: str, queue: str = "q", **fields: Any) -> dict[str, Any]:
    """Jobs that wait for the key, and their registry."""
    hashes = {f"rq:job:{job_id}": keyed("deferred", origin=queue, p_due="", **fields) for job_id in ids}
    return {**hashes, f"rq:deferred:{queue}": ZSet(dict.fromkeys(ids, 900.0))}


def turned(**fields: Any) -> dict[str, str]:
    """The hash of a job that waited for the key, and whose turn has come."""
    return keyed("queued", **{"p_due": "", "enqueued_at": AT, "p_turn": AT, **fields})
