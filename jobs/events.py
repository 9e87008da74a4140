"""Events as they happen: a subscription to the record, for threads and for event loops.

What is asked and what follows from the answers is one generator (`_course`), which asks nobody itself: the two loops
that carry its calls to the server and its events to the caller differ in nothing but `await`.
"""

import logging
import re
from collections.abc import AsyncIterator, Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from postroom.jobs import calls
from postroom.jobs.broker import Broker
from postroom.jobs.codecs import decode_call
from postroom.jobs.errors import ConfigError, DecodeError, ScriptFailed, Unavailable, UnknownSchema
from postroom.jobs.keys import Keys
from postroom.jobs.options import check_queue_name
from postroom.jobs.record import GAP, START, Cursor, Event, Look, check_event

log = logging.getLogger("postroom.events")

KEPT = 900
"""Seconds that the record is kept on after somebody asked for it last: so long a listener may be slow, or away."""
PAGE = 100
"""Entries of one look; each may name hundreds of jobs."""
WAIT = 1.0
"""Seconds that a look waits on the server for the next event."""
_LIMIT = 10_000_000
"""Bytes that a call of RQ's may inflate to, of which only the task is read."""
TASK = ("p:task", "data", "p:type", "success_callback_name")
"""Fields of a job's hash that tell its task."""

Course = Generator[Event | Sequence[calls.Call[Any]], Any, None]


def listen(space: Keys, stream: str, after: str, count: int) -> calls.Call[Look]:
    """Look for what comes after an entry of a stream; if that is the record's, it is kept for KEPT more seconds."""
    args = {"after": after, "count": count, "ttl": KEPT if stream == space.record() else 0}
    return calls.script("listen", Look.read, space, {"stream": stream, "recording": space.recording()}, args)


def keep(space: Keys) -> calls.Call[Look]:
    """Keep the record for KEPT more seconds."""
    return listen(space, space.record(), "", 0)


def prune(space: Keys, seconds: float, most: int) -> calls.Call[int]:
    """Keep the record within an age (seconds) and about `most` bytes; how many it had."""
    return calls.script("prune", int, space, {"stream": space.record()}, {"seconds": seconds, "most": most})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events somebody wants to hear of; what is '' or empty does not matter.

    Raises:
        ConfigError: it can match nothing; the text names why.
    """

    queue: str = ""
    task: str = ""
    events: Collection[str] = ()

    def __post_init__(self) -> None:
        if self.queue:
            check_queue_name(self.queue)
        if isinstance(self.events, str):
            raise ConfigError(f"events={self.events!r}: give a list of names")
        for name in self.events:
            check_event(name)

    @property
    def stream(self) -> str:
        """What is to be read: burials are in a stream of their own, out of which no flood of others pushes them."""
        return "dead" if set(self.events) == {"buried"} else "record"

    def takes(self, event: Event) -> bool:
        """Is this one of them, so far as it says itself?"""
        if event.event == GAP:
            return True
        named = not self.events or event.event in self.events
        return named and self.queue in {"", event.queue} and (not self.task or bool(event.jobs))


class Events(Iterable[Event]):
    """Iterate over it, by `for` or `async for`: each iteration is a subscription with a connection of its own.

    Args:
        since: where it begins: an entry's id, or '' for what comes from now on.
        follow: go on for ever; else to the end of what is on the record.
    """

    def __init__(self, broker: Broker, wanted: Wanted, since: str, *, follow: bool) -> None:
        self._broker, self._wanted, self._since, self._follow = broker, wanted, since, follow
        self._stream = getattr(broker.keys, wanted.stream)()

    def __iter__(self) -> Iterator[Event]:
        """Raises:
        Unavailable: the server was not reached for a first look. Later, it is waited for.
        ScriptFailed: something else stands in the record's place.
        """
        broker, course, heard = self._line(), self._course(), _NOTHING
        try:
            while (said := _next(course, heard)) is not None:
                heard = _NOTHING
                if isinstance(said, Event):
                    yield said
                    continue
                try:
                    heard = broker.try_many(said)
                except Unavailable as error:
                    heard = error
        finally:
            broker.close()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """As `__iter__`."""
        broker, course, heard = self._line(), self._course(), _NOTHING
        try:
            while (said := _next(course, heard)) is not None:
                heard = _NOTHING
                if isinstance(said, Event):
                    yield said
                    continue
                try:
                    heard = await broker.atry_many(said)
                except Unavailable as error:
                    heard = error
        finally:
            await broker.aclose()
            broker.close()

    def _line(self) -> Broker:
        """A broker of its own: a look that waits must hold up no call of the app's."""
        return Broker(self._broker.url, self._broker.keys, self._broker.deadline)

    def _course(self) -> Course:
        """Yields calls, is sent their replies or why there are none, and yields events."""
        cursor, reached, away = Cursor(self._since), False, False
        block = int(1000 * min(WAIT, self._broker.deadline / 2))
        while True:
            heard = yield [listen(self._broker.keys, self._stream, cursor.after, PAGE)]
            if isinstance(heard, Unavailable):
                if not reached:
                    raise heard
                if not away:
                    log.warning("no events are heard: %s. Waiting for it to come back", heard)
                away = True
                continue
            (look,) = heard
            if isinstance(look, ScriptFailed):
                raise look
            if away:
                log.warning("events are heard again")
            reached, away = True, False
            for event in cursor.take(look, PAGE):
                if self._wanted.takes(event):
                    yield from self._narrowed(event)
            if look.events:
                continue
            if not self._follow:
                return
            yield [_arrival(self._stream, cursor.after, block)]

    def _narrowed(self, event: Event) -> Course:
        """The event with those of its jobs that are of the task, if any are. Of a job that is gone nobody knows."""
        if not self._wanted.task or event.event == GAP:
            yield event
            return
        asked = [calls.read(self._broker.keys, job_id, *TASK) for job_id in event.jobs]
        while isinstance(stored := (yield asked), Unavailable):
            pass
        jobs = [
            job_id for job_id, fields in zip(event.jobs, stored, strict=True) if task_of(fields) == self._wanted.task
        ]
        if jobs:
            yield replace(event, jobs=tuple(jobs))


def task_of(stored: Any) -> str:
    """The name of a job's task, from what was read of its hash; '' where that does not say."""
    if not isinstance(stored, dict):
        return ""  # refused: a foreign key
    if stored["p:task"]:
        return str(stored["p:task"].decode(errors="replace"))
    kind = stored["p:type"]
    try:
        saved_by_rq = stored["success_callback_name"] is not None
        name, _, _ = decode_call(stored["data"], kind.decode(errors="replace") if kind else None, saved_by_rq, _LIMIT)
    except UnknownSchema as error:
        return error.task
    except DecodeError:
        return ""
    return str(name)


def place(since: str | float | datetime | None) -> str:
    """Where a subscription begins, as an entry's id; '' for what comes from now on.

    Args:
        since: an event's id, or a time (aware, or seconds since the epoch; 0: all that is there), or None.

    Raises:
        ConfigError: it is neither.
    """
    if since is None:
        return ""
    if isinstance(since, str) and re.fullmatch(r"\d{1,16}(-\d{1,19})?", since):
        return since
    seconds = since.timestamp() if isinstance(since, datetime) and since.tzinfo else since
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e11:
        raise ConfigError(f"since={since!r}: give an event's id, a time with a time zone, or seconds since the epoch")
    return START if not seconds else f"{max(0, round(seconds * 1000) - 1)}-0"


def _arrival(stream: str, after: str, milliseconds: int) -> calls.Call[None]:
    """Wait on the server until there is something after an entry; what it is, the next look finds."""
    command = ("XREAD", "COUNT", 1, "BLOCK", milliseconds, "STREAMS", stream, after)
    return calls.Call(command, lambda _: None)


_NOTHING: Any = None
"""Heard, where nothing was asked."""


def _next(course: Course, heard: Any) -> Event | Sequence[calls.Call[Any]] | None:
    try:
        return course.send(heard)
    except StopIteration:
        return None
