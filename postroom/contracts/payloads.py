"""Every job on a server that will run again or may be redriven, in pages that a server at work does not feel.

Nothing is written, no script is run. A list is read from its tail: what workers take from its head meanwhile is not
jumped over. Registries are read by ZSCAN, which gives whatever stays there all the while.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

from postroom.jobs import calls, timetable
from postroom.jobs.broker import Broker
from postroom.jobs.calls import Call
from postroom.jobs.codecs import JSON, encode_call
from postroom.jobs.errors import ConfigError, ScriptFailed

PAGE = 500
"""Jobs that are asked for in one round trip."""
PAGE_BYTES = 2_000_000
"""Bytes of data that a page is to have: where jobs are large, it has fewer."""
_FIELDS = ("status", "data", "p:type", "success_callback_name", "p:cause", "p:messages")


class Payload(NamedTuple):
    """One job, as stored."""

    state: str
    """Where its id stands: `queued`, `scheduled`, `declined`, `deferred`, `started`, `dead`; `cron`: of a schedule.
    """
    queue: str
    id: str
    status: bytes | None
    data: bytes | None
    content_type: bytes | None
    callback: bytes | None
    """RQ's field; where it is there, RQ has saved the hash."""
    cause: bytes | None
    """What made a dead letter of it."""
    messages: bytes | None = None
    """The versions of the messages in its call."""

    @property
    def kind(self) -> str | None:
        """`content_type` as a text."""
        return None if self.content_type is None else self.content_type.decode(errors="replace")

    @property
    def saved_by_rq(self) -> bool:
        """RQ wrote the hash last: its data may be compressed."""
        return self.content_type is None or self.callback is not None


def count(broker: Broker, queues: Collection[str] = ()) -> int:
    """How many there are, about; `queues` as of `payloads`.

    Raises:
        Unavailable: the server was not reached.
    """
    asked = [Call(("ZCARD", key), int) for _, _, key in _registries(broker, queues)]
    asked += [calls.length(broker.keys, queue) for queue in _queues(broker, queues)]
    return sum(found for found in broker.try_many(asked) if not isinstance(found, ScriptFailed))


def payloads(broker: Broker, told: Callable[[int], None], queues: Collection[str] = ()) -> Iterator[Payload]:
    """All of them, the large ones in small pages. While one page is judged, the server reads the next.

    Args:
        told: called with the number of ids of each page that was read.
        queues: of these only; of all, where none is given.

    Raises:
        Unavailable: the server was not reached.
    """
    pages = _Pages(broker, queues)
    waiting: tuple[str, str, list[str], Any] | None = None
    for state, queue, ids in pages.of_ids():
        trip = broker.round_trip([_ask(broker, job_id) for job_id in ids])
        trip.send()
        if waiting:
            yield from pages.landed(*waiting)
            told(len(waiting[2]))
        waiting = state, queue, ids, trip
    if waiting:
        yield from pages.landed(*waiting)
        told(len(waiting[2]))


def ticks(broker: Broker, known: Collection[str], queues: Collection[str] = ()) -> Iterator[Payload]:
    """The calls that stored schedules will make, each as a job; its id is the schedule's name.

    Args:
        known: schedules that this checkout declares: what is stored of them will be replaced.

    Raises:
        Unavailable: the server was not reached.
    """
    keys, start = broker.keys, 0
    while page := broker.run(timetable.waiting(keys, start)):
        start += len(page)
        names = [name for name, _ in page if name not in known]
        for name, stored in zip(names, broker.run_many([timetable.stored(keys, name) for name in names]), strict=True):
            try:
                schedule = timetable.Entry.read(stored, 0.0).schedule
            except (ConfigError, ValueError):
                continue  # written by another version; `postroom cron list` tells
            if not queues or schedule.queue in queues:
                data = encode_call(schedule.task, list(schedule.args), schedule.kwargs)
                yield Payload("cron", schedule.queue, name, None, data, JSON.name.encode(), None, None)


def _ask(broker: Broker, job_id: str) -> Call[Any]:
    return Call(("HMGET", broker.keys.job(job_id), *_FIELDS), lambda values: values)


def _queues(broker: Broker, wanted: Collection[str]) -> list[str]:
    return [queue for queue in broker.run(calls.queue_names(broker.keys)) if not wanted or queue in wanted]


def _registries(broker: Broker, queues: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """State, queue and key."""
    keys = broker.keys
    kinds = (
        *(("started", keys.wip), ("scheduled", keys.scheduled), ("declined", keys.declined)),
        *(("deferred", keys.deferred), ("dead", keys.failed)),
    )
    for queue in _queues(broker, queues):
        for state, key in kinds:
            yield state, queue, key(queue)


class _Pages:
    def __init__(self, broker: Broker, queues: Collection[str]) -> None:
        self._broker, self._queues = broker, queues
        self._size = PAGE

    def of_ids(self) -> Iterator[tuple[str, str, list[str]]]:
        """A job that moves on while we read is met twice rather than not at all: lists come before registries."""
        for queue in _queues(self._broker, self._queues):
            for ids in self._list(self._broker.keys.queue(queue)):
                yield "queued", queue, ids
        for state, queue, key in _registries(self._broker, self._queues):
            for ids in self._scan(key):
                named = [entry.rpartition(":")[0] or entry for entry in ids] if state == "started" else ids
                yield from ((state, queue, part) for part in self._parts(named))

    def landed(self, state: str, queue: str, ids: Sequence[str], trip: Any) -> Iterator[Payload]:
        """The jobs of a page that is under way."""
        size = 0
        for job_id, values in zip(ids, trip.replies(), strict=True):
            if isinstance(values, ScriptFailed):
                continue  # a foreign key stands there: claims put it aside
            size += len(values[1] or b"")
            yield Payload(state, queue, job_id, *values)
        mean = size / len(ids)
        self._size = max(1, min(PAGE, int(PAGE_BYTES / mean) if mean else PAGE))

    def _list(self, key: str) -> Iterator[list[str]]:
        end = -1
        while True:
            size = self._size
            found = self._try(("LRANGE", key, end - size + 1, end), [])
            if not found:
                return
            yield calls.texts(found)
            end -= size

    def _scan(self, key: str) -> Iterator[list[str]]:
        cursor: Any = b"0"
        while True:
            cursor, found = self._try(("ZSCAN", key, cursor, "COUNT", PAGE), (b"0", []))
            if found:
                yield calls.texts(found[::2])
            if cursor in {b"0", 0}:
                return

    def _parts(self, ids: list[str]) -> Iterator[list[str]]:
        while ids:
            size = self._size
            yield ids[:size]
            ids = ids[size:]

    def _try(self, command: tuple[Any, ...], instead: Any) -> Any:
        """A key of a foreign type is as good as empty."""
        (found,) = self._broker.try_many([Call(command, lambda reply: reply)])
        return instead if isinstance(found, ScriptFailed) else found
