"""What is asked of the server, as values: every call is built here, purely, and sent by the broker.

One function per script and per plain command, so that a key or an argument has one place.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from postroom.jobs.errors import DuplicateJob, ParentCanceled
from postroom.jobs.keys import Keys
from postroom.jobs.messages import Batch, Placement, new_nonce
from postroom.jobs.scripts import SCRIPTS
from postroom.jobs.times import rq_time

T = TypeVar("T")

OK, ALREADY, STALE = "OK", "ALREADY", "STALE"
PAUSED, GONE = b"PAUSED", b"GONE"
OFTEN, RARELY = 5, 300
"""Seconds until a declined job is asked for again: where a live worker can run it, and where none can (and none comes).
"""
UPROOT = 200
"""Jobs that are canceled in one go where a whole tree is: for so long the server does nothing else."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One command, how to read its reply, and the script's text where it is one."""

    command: Sequence[Any]
    parse: Callable[[Any], T]
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueue(Call[list[str]]):
    """New jobs of one queue, and what is said of them: for whoever keeps them instead of sending them (kit.py)."""

    queue: str
    batch: Batch
    place: Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class Read(Call[dict[str, bytes | None]]):
    """Fields of a job's hash. Likewise."""

    job_id: str
    fields: tuple[str, ...]


def script(
    name: str,
    parse: Callable[[Any], T],
    space: Keys,
    keys: dict[str, str],
    args: dict[str, Any],
    jobs: Sequence[Any] = (),
) -> Call[T]:
    """A call of `name`.lua. The prefixes, and the time as RQ writes it, are given to every script that names them."""
    found = SCRIPTS[name]
    common = {"rq": f"{space.prefix}:", "own": space.own(), "now": "", "at": rq_time() if "at" in found.args else ""}
    return Call(found.command(keys, {**common, **args}, jobs), parse, found.source)


def enqueue(space: Keys, queue: str, batch: Batch, place: Placement) -> Enqueue:
    """Write new jobs of one queue; the reply is their ids; where a lock is held, of the job that holds it.

    The reply's reading raises:
        DuplicateJob: the first id that is taken by another job; the other jobs of the batch are written.
        ParentCanceled: the job that enqueues them was canceled; none that is new is written.
    """
    keys = {"queues": space.queues(), "queue": space.queue(queue), "scheduled": space.scheduled(queue)}
    if batch.keyed:
        keys["deferred"] = space.deferred(queue)
    args: dict[str, Any] = {"where": place.where, "due": place.due, "delay": place.delay, "count": len(batch.fields)}
    args |= {"deadline": batch.deadline, "within": batch.within, "parent": batch.parent}
    if batch.keyed:
        args["scope"] = batch.scope

    def ids(replies: list[Any]) -> list[str]:
        if -2 in replies:
            raise ParentCanceled(batch.parent)
        if -1 in replies:
            raise DuplicateJob(batch.ids[replies.index(-1)])
        if batch.scope == "":
            return batch.ids
        pairs = zip(replies, batch.ids, strict=True)
        return [reply.decode() if isinstance(reply, bytes) else job_id for reply, job_id in pairs]

    name = "enqueue_keyed" if batch.keyed else "enqueue"
    made = script(name, ids, space, keys, args, [*batch.fields, *batch.jobs])
    return Enqueue(made.command, made.parse, made.source, queue=queue, batch=batch, place=place)


def claim(
    space: Keys,
    queue: str,
    process: str,
    request: int,
    limit: int,
    lease: float,
    now: float | str = "",
    more: Sequence[str] = (),
) -> Call[list[Any]]:
    """Claim up to `limit` jobs for `process`; the reply is a token and rows (claim.lua), or PAUSED, or GONE.

    Args:
        more: fields that the rows shall have besides.
    """
    keys = {
        "queue": space.queue(queue),
        "wip": space.wip(queue),
        "held": space.held(process),
        "leases": space.leases(),
        "last_token": space.token(),
        "paused": space.paused(),
    }
    args = {"process": process, "queue_name": queue, "request": request, "limit": limit, "lease": lease, "now": now}
    return script("claim", list, space, keys, args, more)


def settle(name: str, space: Keys, queue: str, process: str, jobs: Sequence[Any], **args: Any) -> Call[list[str]]:
    """complete, bury, retry, decline or release: jobs of `queue` leave the hands of `process`.

    OK, ALREADY or STALE for each.
    """
    keys = {
        "queue": space.queue(queue),
        "wip": space.wip(queue),
        "held": space.held(process),
        "finished": space.finished(queue),
        "failed": space.failed(queue),
        "scheduled": space.scheduled(queue),
        "declined": space.declined(queue),
        "takers": space.workers_of(queue),
    }
    about = {"process": process, "queue_name": queue, "often": OFTEN, "rarely": RARELY}
    return script(name, texts, space, keys, {**about, **args}, jobs)


def join(space: Keys, process: str, lease: float, claims: Mapping[str, int], now: float | str = "") -> Call[bool]:
    """`process` is there: its lease begins, and it may claim.

    Args:
        claims: for each of its queues the number of the last claim whose jobs it has; 0: none.
    """
    keys = {"held": space.held(process), "leases": space.leases()}
    queues = [part for pair in claims.items() for part in pair]
    return script("join", lambda _: True, space, keys, {"process": process, "lease": lease, "now": now}, queues)


def renew(space: Keys, process: str, lease: float, started: Sequence[Any] = ()) -> Call[bool]:
    """`process` lives on; False where it has no lease to renew. `started`: id, token, started_at, …"""
    return script("renew", bool, space, {"leases": space.leases()}, {"process": process, "lease": lease}, started)


def announce(
    space: Keys,
    process: str,
    queues: Sequence[str],
    fields: Mapping[str, Any],
    digest: str,
    tasks: Sequence[str],
    ttl: int,
) -> Call[bool]:
    """`process` takes `queues`; False where it has no lease.

    Args:
        fields: what else its hash tells.
        digest: of `tasks`, the names of the tasks that it knows, and `<name> <version>` of each of its messages.
        ttl: seconds that the announcement stands.
    """
    keys = {
        "worker": space.worker(process),
        "workers": space.workers(),
        "tasks": space.tasks(digest),
        "leases": space.leases(),
    }
    flat = [part for pair in fields.items() for part in pair]
    args = {"process": process, "queue_names": " ".join(queues), "ttl": ttl, "rarely": RARELY, "count": len(flat)}
    return script("announce", bool, space, keys, args, [*flat, *tasks])


def sweep(space: Keys, lease: float) -> Call[list[str]]:
    """The processes whose lease has ended."""
    return script("sweep", texts, space, {"leases": space.leases(), "swept": space.swept()}, {"lease": lease})


def recover(space: Keys, process: str, *, resigned: bool = False, charged: Sequence[Any] = ()) -> Call[list[str]]:
    """Put back what a dead process holds; the ids.

    Args:
        resigned: it is known to be gone, whatever its lease.
        charged: for each job that it died of, or beside, `<id>:<token>`, and the execution that it ended, as stored.
    """
    keys = {"held": space.held(process), "leases": space.leases()}
    args = {"process": process, "now": "inf" if resigned else ""}
    return script("recover", texts, space, keys, args, charged)


def promote(space: Keys, queue: str, limit: int, now: float | str = "") -> Call[tuple[int, float]]:
    """Move due jobs to their queue; how many were due, and in how many seconds the next one is (inf: none is left).
    `now` may be `inf`: all of them are due.
    """

    def parse(reply: list[Any]) -> tuple[int, float]:
        return reply[0], float(reply[1] or "inf")

    keys = {"scheduled": space.scheduled(queue), "queue": space.queue(queue)}
    return script("promote", parse, space, keys, {"limit": limit, "now": now})


def offer(space: Keys, queue: str, limit: int) -> Call[int]:
    """Move declined jobs that may be run now, or have stood for long, to their queue; how many there were."""
    keys = {"declined": space.declined(queue), "queue": space.queue(queue), "came": space.came(queue)}
    return script("offer", int, space, keys, {"limit": limit, "rarely": RARELY})


def follow(space: Keys, age: float, limit: int, now: float | str = "") -> Call[tuple[int, list[tuple[str, str]]]]:
    """Let the next job follow where the one that held a key was taken away by others.

    Args:
        age: seconds for which a look at a key holds good.

    Returns:
        How many keys were looked at, `limit` where there may be more; and each whose next job was refused, with why.
    """

    def parse(reply: list[Any]) -> tuple[int, list[tuple[str, str]]]:
        refused = texts(reply[1:])
        return reply[0], list(zip(refused[::2], refused[1::2], strict=True))

    return script("follow", parse, space, {"busy": space.busy()}, {"age": age, "limit": limit, "now": now})


def retain(space: Keys, queue: str, canceled_ttl: float, keep_dead: int, limit: int) -> Call[int]:
    """Forget what is past its time or beyond its number; how many jobs, `limit` where there may be more."""
    keys = {"finished": space.finished(queue), "failed": space.failed(queue), "canceled": space.canceled(queue)}
    keys["expired"] = space.expired(queue)
    return script("retain", int, space, keys, {"canceled_ttl": canceled_ttl, "keep_dead": keep_dead, "limit": limit})


def cancel(space: Keys, job_id: str, *, children: bool = True) -> Call[tuple[str | None, bool]]:
    """Cancel a job; its status before, None where there is none, and whether it has children for `uproot`."""
    args = {"id": job_id, "children": "1" if children else ""}
    return script("cancel", lambda reply: (_text(reply[0]), bool(reply[1])), space, {"doomed": space.doomed()}, args)


def uproot(space: Keys) -> Call[bool]:
    """Cancel some children of canceled jobs; True where there may be more."""
    return script("uproot", bool, space, {"doomed": space.doomed()}, {"limit": UPROOT})


def delete(space: Keys, job_id: str) -> Call[bool]:
    """Forget a job; False where there is none."""
    return script("delete", bool, space, {"job": space.job(job_id)}, {"id": job_id, "nonce": new_nonce()})


def swap(
    space: Keys, hash_: str, field: str, before: str, after: str, notices: Mapping[str, str] | None = None
) -> Call[str]:
    """Set a field of the hash `hash_` that still says `before` ('': nothing); OK, ALREADY or STALE.

    Args:
        notices: what is to be told of that, by id: entered with it.
    """
    args = {"field": field, "before": before, "after": after}
    flat = [part for pair in (notices or {}).items() for part in pair]
    return script("swap", bytes.decode, space, {"hash": hash_, "notices": space.notices()}, args, flat)


def server_time() -> Call[float]:
    """The server's clock: seconds since the epoch."""
    return Call(("TIME",), lambda time: int(time[0]) + int(time[1]) / 1e6)


def turn(space: Keys, what: str, seconds: float, *, again: bool = False) -> Call[bool]:
    """Is it our turn to do this? For `seconds` it is nobody else's.

    Args:
        again: it is still ours, and is kept.
    """
    condition = () if again else ("NX",)
    return Call(("SET", space.turn(what), 1, *condition, "PX", int(seconds * 1000)), bool)


def standing(space: Keys, queue: str, job_id: str) -> Call[float | None]:
    """When a dead letter of a queue will be forgotten (-1: never); None where it is none."""
    return Call(("ZSCORE", space.failed(queue), job_id), lambda score: None if score is None else float(score))


def read(space: Keys, job_id: str, *fields: str) -> Read:
    """Fields of a job's hash; None for each that is missing."""

    def parse(values: list[bytes | None]) -> dict[str, bytes | None]:
        return dict(zip(fields, values, strict=True))

    return Read(("HMGET", space.job(job_id), *fields), parse, job_id=job_id, fields=fields)


def read_all(space: Keys, job_id: str) -> Call[dict[bytes, bytes]]:
    """A job's whole hash."""
    return Call(("HGETALL", space.job(job_id)), pairs)


def keep_schema(space: Keys, fingerprint: str, text: str) -> Call[bool]:
    """Keep the schema of what is about to be written; False where it is kept already."""
    return Call(("HSETNX", space.schemas(), fingerprint, text), bool)


def schema(space: Keys, fingerprint: str) -> Call[bytes | None]:
    """The text of a schema; None where nobody has kept it."""
    return Call(("HGET", space.schemas(), fingerprint), lambda reply: reply)


def drop_fields(space: Keys, job_id: str, names: Sequence[bytes]) -> Call[int]:
    """Take fields out of a job's hash; how many were there."""
    return Call(("HDEL", space.job(job_id), *names), int)


def last_result(space: Keys, job_id: str) -> Call[dict[bytes, bytes]]:
    """The newest entry of RQ's result stream of a job; {} where there is none."""
    command = ("XREVRANGE", space.results(job_id), "+", "-", "COUNT", 1)
    return Call(command, lambda entries: pairs(entries[0][1]) if entries else {})


def queue_names(space: Keys) -> Call[list[str]]:
    """The names of all queues that ever had a job."""
    start = space.queue("")
    return Call(
        ("SMEMBERS", space.queues()),
        lambda keys: sorted(key.removeprefix(start) for key in texts(keys) if key.startswith(start)),
    )


def pause(space: Keys, queue: str, event: str = "paused") -> Call[bool]:
    """Let nobody claim from a queue; `resumed`: again. False where it was so already."""
    return script("pause", bool, space, {"paused": space.paused()}, {"queue_name": queue, "event": event})


def progress(space: Keys, job_id: str, token: int, queue: str, process: str, told: str) -> Call[bool]:
    """The handler that runs a job says how far it is; False where that is nothing new, or too late."""
    args = {"id": job_id, "token": token, "queue_name": queue, "process": process, "told": told}
    return script("progress", bool, space, {"job": space.job(job_id)}, args)


def log(space: Keys, job_id: str, token: int, first: int, count: int, text: bytes) -> Call[bool]:
    """The handler that runs a job has logged `count` lines, after its first `first`; False where all of them are there
    already, or it is too late.
    """
    args = {"id": job_id, "token": token, "first": first, "count": count, "text": text}
    return script("log", bool, space, {"job": space.job(job_id)}, args)


def is_paused(space: Keys, queue: str) -> Call[bool]:
    """Is a queue paused?"""
    return Call(("SISMEMBER", space.paused(), queue), bool)


def length(space: Keys, queue: str) -> Call[int]:
    """How many ids are on a queue's list."""
    return Call(("LLEN", space.queue(queue)), int)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def texts(values: list[bytes]) -> list[str]:
    """A reply of many strings."""
    return [value.decode(errors="replace") for value in values]


def pairs(flat: Any) -> dict[bytes, bytes]:
    """A reply of names and values."""
    return dict(flat) if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))
