"""Reads the facts of one job or one queue, in a few round trips, however many jobs there are.

A job moves while it is looked at: where its status has changed meanwhile, it is looked at again.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from postroom.jobs import calls
from postroom.jobs.broker import Broker
from postroom.jobs.calls import Call
from postroom.jobs.codecs import decode_call
from postroom.jobs.errors import DecodeError, JobFailed, ScriptFailed, UnknownSchema
from postroom.jobs.failure import KEPT, failures
from postroom.jobs.job import Job
from postroom.jobs.keys import Keys
from postroom.jobs.results import Listener
from postroom.jobs.times import age
from postroom.monitor import workers
from postroom.monitor.facts import FailureFacts, JobFacts, QueueFacts, WaitsFor, WorkerFacts
from postroom.monitor.limit import ask_limit, limit_facts
from postroom.monitor.line import ask_holder, ask_line, ask_lock, line_facts, lock_facts
from postroom.monitor.why import PACE

SEARCHED = 100_000
"""Ids at either end of a list that are looked at to find a job."""
GLANCE = 0.2
"""Seconds between the two looks that tell how fast a queue moves."""
TURNS = 2
"""How often all places must have taken a job between two looks for this to be a measure."""
RECENT = 500
"""Ended jobs of each kind that a queue's pace is taken from."""
FEW = 10
"""Jobs that must have ended while the job waited for them alone to be a measure."""
MOST_DEPENDENCIES = 1000
AGAIN = 3
"""Looks at a job that moves."""
_LIMIT = 10_000_000

_FIELDS = (
    *("status", "origin", "data", "enqueued_at", "started_at", "ended_at", "worker_name", "success_callback_name"),
    *(
        "allow_dependency_failures",
        "p:type",
        "p:task",
        "p:attempt",
        "p:deaths",
        "p:redelivered",
        "p:reason",
        "p:cause",
        "p:waits",
        "p:key",
        "p:unique",
        "p:limited",
        "p:deadline",
        "p:expired",
    ),
    *(f"p:failure:{place}" for place in range(KEPT)),
)
_REGISTRY = {
    "scheduled": Keys.scheduled,
    "finished": Keys.finished,
    "failed": Keys.failed,
}
Stored = Mapping[str, bytes | None]
Replies = dict[str, Any]


def look_at_job(broker: Broker, job_id: str) -> JobFacts:
    """What is known of a job. Takes GLANCE seconds where it waits in line.

    Raises:
        Unavailable: the server was not reached.
        ScriptFailed: it refused: a key is of a foreign type.
    """
    for _ in range(AGAIN):
        found = _Look(broker, job_id)
        facts = found.facts()
        if not found.moved:
            break
    return facts


def look_at_queue(broker: Broker, name: str) -> QueueFacts | None:
    """What is known of a queue; None where it never had a job, is not paused, and no live worker takes it.

    Raises:
        as `look_at_job`.
    """
    keys = broker.keys
    first = workers.ask(broker, {**workers.ask_who(keys), **_ask_duties(keys), "queues": calls.queue_names(keys)})
    known = workers.names(first, keys)
    second = workers.ask(broker, {**workers.ask_what(keys, known), **_ask_queue(keys, name)})
    enqueued = None
    if second["head"] is not None:
        enqueued = broker.run(calls.read(keys, second["head"], "enqueued_at"))["enqueued_at"]
    facts = _queue(name, workers.living(known, first | second), first, second, age(enqueued, first["now"]))
    known_there = name in first["queues"] or facts.paused or facts.waiting or facts.deferred or facts.workers
    return facts if known_there else None


class _Look:
    """One look at a job: what was asked and heard."""

    def __init__(self, broker: Broker, job_id: str) -> None:
        self._broker, self._keys, self._id = broker, broker.keys, job_id
        self.moved = False
        """Its status has changed while we looked."""

    def facts(self) -> JobFacts:
        """Look."""
        keys = self._keys
        asked: dict[str, Call[Any]] = {
            "job": calls.read(keys, self._id, *_FIELDS),
            "gone": Call(("GET", keys.gone(self._id)), lambda text: text),
            **workers.ask_who(keys),
            **_ask_duties(keys),
        }
        replies = dict(zip(asked, self._broker.try_many(list(asked.values())), strict=True))
        stored = replies.pop("job")
        for reply in replies.values():
            if isinstance(reply, ScriptFailed):
                raise reply
        if isinstance(stored, ScriptFailed):
            return JobFacts(id=self._id, status="foreign")
        if not any(stored.values()):
            return JobFacts(id=self._id, status=_absent(replies["gone"]))
        return self._read(stored, replies)

    def _read(self, stored: Stored, replies: Replies) -> JobFacts:
        keys, status, queue = self._keys, _text(stored["status"]) or "queued", _text(stored["origin"])
        known = workers.names(replies, keys)
        asked = {**workers.ask_what(keys, known), **_ask_queue(keys, queue)}
        if status in _REGISTRY:
            asked["score"] = Call(("ZSCORE", _REGISTRY[status](keys, queue), self._id), _float)
            asked["ttl"] = Call(("PTTL", keys.job(self._id)), int)
        if status == "scheduled":
            asked["declined"] = Call(("ZSCORE", keys.declined(queue), self._id), _float)
        if status == "deferred":
            command = ("SRANDMEMBER", keys.dependencies(self._id), MOST_DEPENDENCIES)
            asked["dependencies"] = Call(command, calls.texts)
            asked |= ask_line(keys, _text(stored["p:key"]), self._id) if stored["p:key"] else {}
            asked |= ask_limit(keys, _text(stored["p:limited"]), self._id) if stored["p:limited"] else {}
        asked |= ask_lock(keys, _text(stored["p:unique"]))
        in_line = status in {"queued", "created"}
        if in_line:
            asked |= _ask_place(keys, queue, self._id) | _ask_recent(keys, queue)
        looked = time.monotonic()
        replies |= workers.ask(self._broker, asked)
        alive = workers.living(known, replies)
        takers = [worker for worker in alive if queue in worker.queues]
        task = _task(stored)
        if in_line and (replies["ahead"] or replies["from_tail"]):
            time.sleep(GLANCE)
        replies |= self._ask_more(replies, queue, takers, task, in_line=in_line)
        self.moved = replies["status"] != stored["status"]
        now, between = replies["now"], time.monotonic() - looked
        waited = age(stored["enqueued_at"], now) or 0.0
        place = _place(replies, between, sum(worker.threads for worker in takers), waited) if in_line else {}
        ends = _float(stored["p:deadline"])
        return JobFacts(
            id=self._id,
            status="expired" if status == "canceled" and stored["p:expired"] else status,
            deadline=None if ends is None else ends - now,
            queue=_queue(queue, alive, replies, replies, age(replies.get("head_enqueued"), now)),
            task=task,
            knows_task=_knows(takers, replies) if task else None,
            waits_for=_waits_for(replies, allowed=stored["allow_dependency_failures"] == b"1"),
            lock=lock_facts(_text(stored["p:unique"]), self._id, status, replies),
            line=line_facts(_text(stored["p:key"]), replies),
            limit=limit_facts(_text(stored["p:limited"]), replies),
            **(_due(replies, now) if status == "scheduled" else {}),
            kept=_kept(replies, now) if status in {"finished", "failed"} else None,
            purged=status == "failed" and replies["score"] is None and replies["ttl"] >= 0,
            **_story(stored, now, in_line=in_line),
            **self._end(stored, status),
            **_worker(stored, alive, replies),
            **place,
        )

    def _ask_more(
        self, replies: Replies, queue: str, takers: Sequence[WorkerFacts], task: str, *, in_line: bool
    ) -> Replies:
        """What can only be asked now."""
        keys = self._keys
        asked: dict[str, Call[Any]] = {"status": Call(("HGET", keys.job(self._id), "status"), lambda text: text)}
        for digest in {worker.tasks for worker in takers if worker.tasks} if task else ():
            asked[f"knows {digest}"] = Call(("SISMEMBER", keys.tasks(digest), task), bool)
        for other in replies.get("dependencies", ()):
            asked[f"waits {other}"] = calls.read(keys, other, "status", "worker_name")
        asked |= ask_holder(keys, replies["holder"]) if replies.get("holder") else {}
        if replies["head"] is not None:
            asked["head_enqueued"] = Call(("HGET", keys.job(replies["head"]), "enqueued_at"), lambda text: text)
        if in_line:
            for kind in ("finished", "failed"):
                for i, other in enumerate(replies[f"recent {kind}"]):
                    asked[f"{kind} {i}"] = calls.read(keys, other, "started_at", "ended_at")
            asked["later"] = _ask_place(keys, queue, self._id)[_end_of(replies)]
        return workers.ask(self._broker, asked)

    def _end(self, stored: Stored, status: str) -> dict[str, Any]:
        """Why it failed."""
        reason = _text(stored["p:reason"])
        if status == "failed" and not reason:
            # RQ's worker buried it: the reason is where RQ keeps it.
            try:
                Job[Any](self._id, self._broker, Listener(self._broker)).result(0)
            except JobFailed as failed:
                reason = failed.reason
        return {"reason": reason, "cause": _text(stored["p:cause"])}


def _ask_duties(keys: Keys) -> dict[str, Call[Any]]:
    return {"swept": Call(("GET", keys.swept()), _float)}


def _ask_queue(keys: Keys, queue: str) -> dict[str, Call[Any]]:
    return {
        "paused": calls.is_paused(keys, queue),
        "waiting": calls.length(keys, queue),
        "running": Call(("ZCARD", keys.wip(queue)), int),
        "deferred": Call(("ZCARD", keys.deferred(queue)), int),
        "head": Call(("LINDEX", keys.queue(queue), 0), lambda text: None if text is None else _text(text)),
    }


def _ask_place(keys: Keys, queue: str, job_id: str) -> dict[str, Call[Any]]:
    find = ("LPOS", keys.queue(queue), job_id)
    return {
        "ahead": Call((*find, "MAXLEN", SEARCHED), lambda place: place),
        "from_tail": Call((*find, "RANK", -1, "MAXLEN", SEARCHED), lambda place: place),
    }


def _ask_recent(keys: Keys, queue: str) -> dict[str, Call[Any]]:
    """The jobs that ended last, if all are kept for the same time; but not what is kept for ever."""
    newest = ("(inf", "-inf", "LIMIT", 0, RECENT)
    return {
        "recent finished": Call(("ZREVRANGEBYSCORE", keys.finished(queue), *newest), calls.texts),
        "recent failed": Call(("ZREVRANGEBYSCORE", keys.failed(queue), *newest), calls.texts),
    }


def _queue(
    name: str, alive: tuple[WorkerFacts, ...], first: Replies, replies: Replies, oldest: float | None
) -> QueueFacts:
    return QueueFacts(
        name=name,
        paused=replies["paused"],
        waiting=replies["waiting"],
        oldest=oldest,
        running=replies["running"],
        deferred=replies["deferred"],
        alive=alive,
        unwatched=None if first["swept"] is None else max(0.0, first["now"] - first["swept"]),
    )


def _place(replies: Replies, between: float, places: int, waited: float) -> dict[str, Any]:
    """Where it stands in line, and how fast that moves: by the jobs on record that ended, or by its own moving where
    that is more. The record can only miss some: what is kept for another time, or not at all, is not among the newest.
    """
    before, later = replies[_end_of(replies)], replies["later"]
    pace = sum(_pace(replies, kind, waited) for kind in ("finished", "failed"))
    if before is not None and later is not None and before - later > TURNS * places:
        pace = max(pace, (before - later) / between)
    return {"ahead": before if later is None else later, "pace": pace, "searched": SEARCHED}


def _end_of(replies: Replies) -> str:
    """From which end of the list it was found, if at all."""
    return "from_tail" if replies["ahead"] is None else "ahead"


def _pace(replies: Replies, kind: str, waited: float) -> float:
    """Jobs a second, of those that ended within PACE seconds."""
    now, count = replies["now"], len(replies[f"recent {kind}"])
    jobs = [replies[f"{kind} {i}"] for i in range(count)]
    ended = [(ago, job) for job in jobs if (ago := age(job["ended_at"], now)) is not None]
    recent = [job for ago, job in ended if ago < min(waited, PACE)]
    if len(recent) < FEW:
        # Also what ended before it came, though nobody may have had anything to do in between.
        recent = [job for ago, job in ended if ago < PACE]
    if not recent:
        return 0.0
    return len(recent) / max(0.001, *(age(job["started_at"], now) or 0.0 for job in recent))


def _story(stored: Stored, now: float, *, in_line: bool) -> dict[str, Any]:
    """What happened to it so far."""
    begun = age(stored["started_at"], now)
    enqueued = age(stored["enqueued_at"], now)
    ended = age(stored["ended_at"], now)
    # RQ's requeue of a dead letter: the claim lets it begin anew.
    anew = in_line and stored["p:reason"] is not None
    return {
        "attempts": 0 if anew else _number(stored["p:attempt"]),
        "deaths": 0 if anew else _number(stored["p:deaths"]),
        "redelivered": _number(stored["p:redelivered"]),
        "waits": _text(stored["p:waits"]),
        "failure": _failure(stored),
        # A start before it was last enqueued is that of an earlier execution.
        "runs_for": begun if begun is not None and (enqueued is None or begun <= enqueued) else None,
        "ended": ended,
        "took": begun - ended if begun is not None and ended is not None and begun >= ended else None,
    }


def _failure(stored: Stored) -> FailureFacts | None:
    found = failures({name.encode(): value for name, value in stored.items() if value is not None})
    if not found:
        return None
    last = found[-1]
    return FailureFacts(
        attempt=last.attempt, error=last.error, worker=last.worker, how=last.death.how if last.death else ""
    )


def _worker(stored: Stored, alive: Sequence[WorkerFacts], replies: Replies) -> dict[str, Any]:
    name = _text(stored["worker_name"])
    kind = next((worker.kind for worker in alive if worker.name == name), "")
    end = replies["leases"].get(name)
    return {
        "worker": name,
        "worker_kind": "postroom" if end is not None else kind,
        "lease": None if end is None else end - replies["now"],
    }


def _waits_for(replies: Replies, *, allowed: bool) -> tuple[WaitsFor, ...]:
    """RQ's rule: met by a job that finished, was deleted, or failed where that is allowed. Those that failed first."""
    met = {"", "finished", *(("failed",) if allowed else ())}
    found = []
    for other in replies.get("dependencies", ()):
        job = replies[f"waits {other}"]
        if (status := _text(job["status"])) not in met:
            found.append(WaitsFor(id=other, status=status, worker=_text(job["worker_name"])))
    return tuple(sorted(found, key=lambda waits: (waits.status not in {"failed", "canceled", "stopped"}, waits.id)))


def _knows(takers: Sequence[WorkerFacts], replies: Replies) -> bool | None:
    if not takers:
        return None
    return any(not worker.tasks or replies[f"knows {worker.tasks}"] for worker in takers)


def _task(stored: Stored) -> str:
    """The task's name; '' where it cannot be read."""
    if stored["p:task"]:
        return _text(stored["p:task"])
    kind = stored["p:type"]
    saved_by_rq = kind is None or stored["success_callback_name"] is not None
    try:
        return str(decode_call(stored["data"], None if kind is None else _text(kind), saved_by_rq, _LIMIT)[0])
    except UnknownSchema as error:
        return error.task
    except DecodeError:
        return ""  # pickled, or broken: whoever claims it will say


def _absent(tombstone: bytes | None) -> str:
    if tombstone is None:
        return "missing"
    return "deleted" if tombstone.startswith(b"delete-") else "dropped"


def _due(replies: Replies, now: float) -> dict[str, Any]:
    """When it is asked for, and among what it stands until then."""
    since = replies["declined"]
    due = _until(replies, now) if since is None else since + calls.RARELY - now
    return {"due": due, "declined": since is not None}


def _until(replies: Replies, now: float) -> float | None:
    """Seconds until the job's score; None: for ever, or not there."""
    score = replies["score"]
    return None if score is None or score in {-1.0, float("inf")} else score - now


def _kept(replies: Replies, now: float) -> float | None:
    """Seconds until the job is forgotten; where it stands in no registry any more, as when it was purged: its hash."""
    if replies["score"] is not None:
        return _until(replies, now)
    return None if replies["ttl"] < 0 else replies["ttl"] / 1000


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")


def _float(text: bytes | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _number(text: bytes | None) -> int:
    return int(text) if text and text.isdigit() and len(text) < 10 else 0
