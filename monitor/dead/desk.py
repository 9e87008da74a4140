"""The desk where dead letters are looked at and dealt with. Nothing here holds more than a page of them."""

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any

from postroom.jobs import calls, desk_calls
from postroom.jobs.app import Postroom
from postroom.jobs.codecs import schema_of
from postroom.jobs.errors import NotDead
from postroom.jobs.job import failure_of
from postroom.jobs.options import check_queue_name
from postroom.monitor.dead.canary import Canary
from postroom.monitor.dead.files import Line, encode
from postroom.monitor.dead.filters import Filter
from postroom.monitor.dead.letters import DeadLetter, Group, Summary, merge
from postroom.monitor.dead.moves import Action, Moved
from postroom.monitor.nearest import nearest_dead

Chosen = Filter | Sequence[str]
"""Which dead letters: a filter, or ids."""
Place = tuple[str, str, float]
"""Queue, id, and when it will be forgotten."""

BATCH = 100
"""Dead letters that one script moves: so long the server does nothing else."""
BATCH_BYTES = 1_000_000


def _nobody(_moved: int) -> None:
    pass


class DeadLetters:
    """The dead letters of an app's server. Any thread may ask; every method may raise Unavailable."""

    def __init__(self, app: Postroom) -> None:
        self._broker, self._keys = app.broker, app.keys
        self._failure_ttl = app.settings.failure_ttl

    # Look ----------------------------------------------------------------------------------------------------------

    def newest(self, which: Filter, limit: int) -> list[Summary]:
        """The first `limit` of those that match, by the time when they will be forgotten: the newest first, where all
        are kept equally long.
        """
        streams = [self._rows(queue, which, min(limit, desk_calls.PAGE)) for queue in self._queues(which)]
        rows = list(islice(heapq.merge(*streams, key=lambda row: -row.expiry), limit))
        return self._explained(rows)

    def groups(self, which: Filter) -> list[Group]:
        """All that match, as groups of one queue, task, cause and fingerprint each; the largest first."""
        found: list[Group] = []
        for queue in self._queues(which):
            for rows in self._pages(queue, desk_calls.Page("groups"), which):
                found = merge(chain(found, (Group.read(queue, row) for row in rows)))
        return found

    def show(self, job_id: str) -> DeadLetter:
        """Everything about one.

        Raises:
            NotDead: it is none.
        """
        ((queue, _, expiry),) = self.find([job_id])
        stored, entry = self._broker.run_many(
            [calls.read_all(self._keys, job_id), calls.last_result(self._keys, job_id)]
        )
        names = (b"p:cause", b"p:task", b"p:fingerprint", b"p:reason", b"ended_at", b"p:attempt")
        row = [job_id.encode(), str(expiry).encode(), *(stored.get(name, b"") for name in names)]
        return DeadLetter.read(Summary.read(queue, row), stored, entry)

    def find(self, ids: Sequence[str]) -> list[Place]:
        """Where dead letters stand.

        Raises:
            NotDead: the first that is none, with the ids that are nearest to it.
        """
        found = []
        for start in range(0, len(ids), BATCH):
            part = list(dict.fromkeys(ids[start : start + BATCH]))
            fields = self._broker.run_many([calls.read(self._keys, job_id, "origin", "status") for job_id in part])
            queues = [(field["origin"] or b"").decode(errors="replace") for field in fields]
            scores = self._broker.run_many(
                [calls.standing(self._keys, *pair) for pair in zip(queues, part, strict=True)]
            )
            for job_id, queue, score, field in zip(part, queues, scores, fields, strict=True):
                if score is None or field["status"] != b"failed":
                    status = (field["status"] or b"").decode(errors="replace")
                    known = status if status != "failed" else "purged"
                    raise NotDead(job_id, known, [] if known else nearest_dead(self._broker, job_id))
                found.append((queue, job_id, score))
        return found

    # Move ----------------------------------------------------------------------------------------------------------

    def redrive(
        self,
        chosen: Chosen,
        *,
        to: str = "",
        rate: float | None = None,
        canary: Canary | None = None,
        progress: Callable[[int], None] = _nobody,
    ) -> Moved:
        """Put dead letters back on their queue, the oldest first; their attempts begin anew.

        Args:
            to: another queue.
            rate: the most a second.
            canary: in stages; what has stopped it is in the answer.
            progress: hears how many were moved so far.

        Raises:
            NotDead: an id is no dead letter's; nothing was moved.
            ConfigError: `to` cannot be a queue's name.
        """
        if to:
            check_queue_name(to)
        action = Action.new("redrive")
        moved, places = Moved(action.id), self._places(chosen)
        args = {"about": action.about}
        for stage in canary.stages if canary else ():
            part = list(islice(places, stage))
            before = self._fingerprints([job_id for _, job_id, _ in part])
            for queue, ids in _batches(part, BATCH):
                replies = self._broker.run(self._move(action, queue, ids, target=to or queue, **args))
                _count(moved, ids, replies)
                before = {job_id: print_ for job_id, print_ in before.items() if job_id not in _unmoved(ids, replies)}
            progress(moved.count)
            moved.stopped = canary.watch(self._broker, before) if canary and before else None
            if moved.stopped:
                return moved
        size = BATCH if rate is None else max(1, min(BATCH, int(rate / 5)))
        began, base = time.monotonic(), moved.count
        for queue, ids in _batches(places, size):
            _count(moved, ids, self._broker.run(self._move(action, queue, ids, target=to or queue, **args)))
            progress(moved.count)
            if rate is not None:
                time.sleep(max(0.0, began + (moved.count - base) / rate - time.monotonic()))
        return moved

    def purge(self, chosen: Chosen, *, progress: Callable[[int], None] = _nobody) -> Moved:
        """Forget dead letters; for UNDO seconds they can be brought back.

        Raises:
            NotDead: an id is no dead letter's; nothing was purged.
        """
        action = Action.new("purge")
        moved = Moved(action.id)
        for queue, ids in _batches(self._places(chosen), BATCH):
            _count(moved, ids, self._broker.run(self._move(action, queue, ids, about=action.about)))
            progress(moved.count)
        return moved

    def last_action(self) -> tuple[Action, dict[str, int]] | None:
        """The action that can be undone, and how many dead letters it moved of each queue."""
        action = self._broker.run(calls.Call(("GET", self._keys.undo()), Action.read))
        if action is None:
            return None
        names = self._broker.run(calls.queue_names(self._keys))
        asked = [calls.Call(("ZCARD", self._keys.undo_record(action.id, queue)), int) for queue in names]
        counts = zip(names, self._broker.run_many(asked), strict=True)
        return action, {queue: count for queue, count in counts if count}

    def undo(self, *, progress: Callable[[int], None] = _nobody) -> Moved | None:
        """Bring back what the last action moved, where nobody has touched it since. None: there is none."""
        last = self.last_action()
        if last is None:
            return None
        action, queues = last
        moved = Moved(action.id)
        for queue in queues:
            record = self._keys.undo_record(action.id, queue)
            start = 0
            while ids := self._broker.run(calls.Call(("ZREVRANGE", record, start, start + BATCH - 1), calls.texts)):
                call = desk_calls.move("undo", self._keys, queue, action.id, ids, verb=action.verb)
                for job_id, reply in zip(ids, calls.texts(self._broker.run(call)), strict=True):
                    moved.add(job_id, None if reply == "undone" else reply)
                start += len(ids)
                progress(moved.count)
        records = [self._keys.undo_record(action.id, queue) for queue in queues]
        self._broker.run(calls.Call(("UNLINK", self._keys.undo(), *records), int))
        return moved

    # Files ---------------------------------------------------------------------------------------------------------

    def export(self, chosen: Chosen) -> Iterator[bytes]:
        """The lines of a file, without their ends.

        Raises:
            NotDead: an id is no dead letter's.
        """
        places = self._places(chosen)
        while part := list(islice(places, BATCH)):
            asked: list[calls.Call[Any]] = [calls.read_all(self._keys, job_id) for _, job_id, _ in part]
            hashes = self._broker.run_many(asked)
            theirs = [job_id for (_, job_id, _), stored in zip(part, hashes, strict=True) if b"p:type" not in stored]
            entries, schemas = self._entries(theirs), self._schemas(hashes)
            for (queue, job_id, expiry), stored in zip(part, hashes, strict=True):
                if stored.get(b"status") == b"failed":
                    asked_for = schema_of(stored)
                    schema = {name: text for name, text in schemas.items() if name == asked_for}
                    yield encode(job_id, queue, expiry, stored, entries.get(job_id, {}), schema)

    def load(self, lines: Iterable[Line], *, replace: bool = False, progress: Callable[[int], None] = _nobody) -> Moved:
        """Import dead letters. One whose id is taken is left, with the status of the job that has it.

        Args:
            replace: take the place of dead letters of the same id.
        """
        action = Action.new("import")
        moved = Moved(action.id)
        args = {"about": action.about, "replace": "1" if replace else ""}
        for queue, ids, jobs in self._import_batches(self._keep_schemas(lines)):
            replies = calls.texts(
                self._broker.run(desk_calls.move("import", self._keys, queue, action.id, jobs, **args))
            )
            for job_id, reply in zip(ids, replies, strict=True):
                moved.add(job_id, None if reply in {"imported", "replaced"} else reply)
            progress(moved.count)
        return moved

    # Within --------------------------------------------------------------------------------------------------------

    def _queues(self, which: Filter) -> list[str]:
        return [which.queue] if which.queue else self._broker.run(calls.queue_names(self._keys))

    def _pages(self, queue: str, page: desk_calls.Page, which: Filter) -> Iterator[list[Any]]:
        args = which.args()
        while True:
            after, rows, packed = self._broker.run(desk_calls.sift(self._keys, queue, page, args))
            yield [*rows, *self._unpacked(queue, page.want, which, packed)] if packed else rows
            if after is None:
                return
            page = replace(page, after=after)

    def _unpacked(self, queue: str, want: str, which: Filter, packed: list[list[bytes]]) -> Iterator[Any]:
        """Those whose reason, in RQ's stream of results, tells of the error; in the form of a page."""
        for row, told in zip(packed, self._explained([Summary.read(queue, row) for row in packed]), strict=True):
            job_id, score, cause, task, fingerprint, _, ended, attempts = row
            reason = told.reason.encode()
            if not which.told_by(told.reason):
                continue
            if want == "ids":
                yield from (job_id, score)
            elif want == "rows":
                yield [job_id, score, cause, task, fingerprint, reason, ended, attempts]
            else:
                yield [cause, task, fingerprint, 1, ended, ended, job_id, reason]

    def _rows(self, queue: str, which: Filter, most: int) -> Iterator[Summary]:
        for rows in self._pages(queue, desk_calls.Page("rows", "newest", most=most), which):
            yield from sorted((Summary.read(queue, row) for row in rows), key=lambda row: -row.expiry)

    def _places(self, chosen: Chosen) -> Iterator[Place]:
        if not isinstance(chosen, Filter):
            return iter(self.find(chosen))
        return self._scan(chosen)

    def _scan(self, which: Filter) -> Iterator[Place]:
        for queue in self._queues(which):
            for page in self._pages(queue, desk_calls.Page("ids"), which):
                found = ((queue, *one) for one in zip(calls.texts(page[::2]), map(float, page[1::2]), strict=True))
                yield from sorted(found, key=itemgetter(2))

    def _move(self, action: Action, queue: str, ids: list[str], **args: Any) -> calls.Call[list[Any]]:
        return desk_calls.move(action.verb, self._keys, queue, action.id, ids, **args)

    def _fingerprints(self, ids: list[str]) -> dict[str, str]:
        found = self._broker.run_many([calls.read(self._keys, job_id, "p:fingerprint") for job_id in ids])
        texts = [(fields["p:fingerprint"] or b"").decode(errors="replace") for fields in found]
        return dict(zip(ids, texts, strict=True))

    def _entries(self, ids: list[str]) -> dict[str, dict[bytes, bytes]]:
        if not ids:
            return {}
        found = self._broker.run_many([calls.last_result(self._keys, job_id) for job_id in ids])
        return dict(zip(ids, found, strict=True))

    def _schemas(self, hashes: Iterable[Mapping[bytes, bytes]]) -> dict[str, str]:
        """Those that are kept of what the data of these jobs cannot be read without."""
        names = sorted({name for stored in hashes if (name := schema_of(stored))})
        found = self._broker.run_many([calls.schema(self._keys, name) for name in names]) if names else []
        return {name: text.decode(errors="replace") for name, text in zip(names, found, strict=True) if text}

    def _keep_schemas(self, lines: Iterable[Line]) -> Iterator[Line]:
        kept: set[str] = set()
        for line in lines:
            if new := line.schema.keys() - kept:
                self._broker.run_many([calls.keep_schema(self._keys, name, line.schema[name]) for name in new])
                kept |= new
            yield line

    def _explained(self, rows: list[Summary]) -> list[Summary]:
        """With the reasons that stand in RQ's result stream only."""
        entries = self._entries([row.id for row in rows if not row.reason])
        nothing = {"worker_name": None, "exc_info": None, "p:reason": None}
        told = {
            job_id: failure_of({**nothing, "worker_name": entry.get(b"worker_name")}, entry)[0]
            for job_id, entry in entries.items()
        }
        return [replace(row, reason=told[row.id]) if row.id in told else row for row in rows]

    def _import_batches(self, lines: Iterable[Line]) -> Iterator[tuple[str, list[str], list[Any]]]:
        for queue, of_queue in groupby(lines, key=lambda line: line.queue):
            ids: list[str] = []
            jobs: list[Any] = []
            size = 0
            for line in of_queue:
                flat = line.flat
                ids.append(line.id)
                jobs += (line.id, self._expiry(line), line.entry, len(flat), *flat)
                size += sum(map(len, flat))
                if len(ids) == BATCH or size > BATCH_BYTES:
                    yield queue, ids, jobs
                    ids, jobs, size = [], [], 0
            if ids:
                yield queue, ids, jobs

    def _expiry(self, line: Line) -> float:
        """One whose time is over would be forgotten at once."""
        if line.expiry < 0 or line.expiry > time.time() + 60:
            return line.expiry
        return -1 if self._failure_ttl < 0 else time.time() + max(60, self._failure_ttl)


def _batches(places: Iterable[Place], size: int) -> Iterator[tuple[str, list[str]]]:
    """At most `size` ids of one queue."""
    for queue, of_queue in groupby(places, key=itemgetter(0)):
        while ids := [job_id for _, job_id, _ in islice(of_queue, size)]:
            yield queue, ids


def _count(moved: Moved, ids: list[str], replies: list[int]) -> None:
    for job_id, reply in zip(ids, replies, strict=True):
        moved.add(job_id, None if reply else "changed")


def _unmoved(ids: list[str], replies: list[int]) -> set[str]:
    return {job_id for job_id, reply in zip(ids, replies, strict=True) if not reply}
