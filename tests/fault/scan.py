"""A full scan of the keys of one namespace: where every job stands, and what stands where it should not."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import redis

from postroom.jobs.keys import Keys

PLACE_OF = {
    "queued": "queue",
    "created": "queue",
    "scheduled": "scheduled",
    "deferred": "deferred",
    "started": "wip",
    "finished": "finished",
    "failed": "failed",
    "canceled": "canceled",
}
"""The one place of a job, by its status."""
_SETS = {"scheduled", "deferred", "finished", "failed", "canceled"}
_KEPT = {
    "token",
    "swept",
    "paused",
    "schemas",
    "dead",
    "hooks",
    "tasks",
    "turn",
    "schedule",
    "ticks",
    "came",
    "unique",
    "limits",
}
"""Our keys that outlive all jobs."""


@dataclass(slots=True)
class Scan:
    """What a namespace held when it was looked at."""

    hashes: dict[str, Mapping[str, str]] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """For each id, every place where it stands: `queue`, `wip`, `scheduled`, …"""
    leases: list[str] = field(default_factory=list)
    """Worker processes with a lease, with something in their hands, or announced."""
    gone: set[str] = field(default_factory=set)
    """Ids with a tombstone."""
    beside: dict[str, str] = field(default_factory=dict)
    """Keys that RQ keeps beside a job's hash, each with the job's id."""
    strange: list[str] = field(default_factory=list)
    """Keys that are none of ours and none of RQ's, and tombstones that stay for ever."""

    def count(self, status: str) -> int:
        """How many jobs have this status."""
        return sum(fields.get("status") == status for fields in self.hashes.values())

    def misplaced(self, *, resting: bool = True) -> Iterator[str]:
        """Every job that does not stand in exactly the one place of its status, and every id without a job.

        Args:
            resting: no worker lives: nobody may hold anything.
        """
        for job_id, fields in self.hashes.items():
            status, found = fields.get("status", "none"), self.places.get(job_id, [])
            right = [PLACE_OF.get(status, "nowhere"), *(["expired"] if "p:expired" in fields else ())]
            if sorted(found) != right and (status, found) != ("scheduled", ["declined"]):
                yield f"job {job_id} is {status} and stands in {', '.join(found) or 'no place'}"
            elif resting and status == "started":
                yield f"job {job_id} is started and nobody runs it"
        for job_id, found in self.places.items():
            if job_id not in self.hashes:
                yield f"ghost id {job_id} stands in {', '.join(found)}"
        for key, job_id in self.beside.items():
            if job_id not in self.hashes and job_id not in self.gone:
                yield f"ghost key {key}"
        for key in self.strange:
            yield f"orphan key {key}"
        for process in self.leases if resting else ():
            yield f"stale lease or held jobs of {process}"


def scan(client: "redis.Redis", prefix: str) -> Scan:
    """Look at every key of the namespace. Nothing may change meanwhile."""
    keys, found = Keys(prefix), Scan()
    own, theirs = keys.own(), f"{prefix}:"
    for raw in client.scan_iter(match=f"*{prefix}:*", count=1000):
        key = raw.decode()
        if key.startswith(own):
            _look_at_ours(client, key.removeprefix(own), key, found)
        elif key.startswith(theirs):
            _look_at_theirs(client, key.removeprefix(theirs), key, found)
        else:
            found.strange.append(key)
    return found


def _look_at_theirs(client: Any, name: str, key: str, found: Scan) -> None:
    kind, _, rest = name.partition(":")
    if kind == "job" and ":" not in rest:
        found.hashes[rest] = {k.decode(): v.decode(errors="replace") for k, v in client.hgetall(key).items()}
    elif kind == "queue":
        for job_id in client.lrange(key, 0, -1):
            found.places[job_id.decode()].append("queue")
    elif kind in _SETS:
        for job_id in client.zrange(key, 0, -1):
            found.places[job_id.decode()].append(kind)
    elif kind == "wip":
        for member in client.zrange(key, 0, -1):
            found.places[member.decode().partition(":")[0]].append("wip")
    elif kind == "results":
        found.beside[key] = rest
    elif kind == "job":  # <id>:dependents, or :<id>:dependencies
        found.beside[key] = rest.strip(":").partition(":")[0]
    elif kind == "worker" and client.hexists(key, "p:queues"):  # else RQ's own
        found.leases.append(f"{rest} (announced)")
    elif kind not in {"queues", "worker", "workers"}:
        found.strange.append(key)


def _look_at_ours(client: Any, name: str, key: str, found: Scan) -> None:
    kind, _, rest = name.partition(":")
    if kind == "leases":
        found.leases += [process.decode() for process in client.zrange(key, 0, -1)]
    elif kind == "held":
        held = [field.decode() for field in client.hkeys(key) if not field.startswith(b"@")]
        found.leases += [f"{rest} ({', '.join(held[:3])})"] if held else [rest]
    elif kind in {"declined", "expired"}:
        for job_id in client.zrange(key, 0, -1):
            found.places[job_id.decode()].append(kind)
    elif kind == "gone":
        found.gone.add(rest)
        if client.ttl(key) < 0:
            found.strange.append(key)
    elif kind not in _KEPT:
        found.strange.append(key)
