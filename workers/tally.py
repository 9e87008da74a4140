"""The tally: what a worker process counts of its jobs, on its board, so that its pool can tell of it, dead or alive.

One writer, whoever leads (consumer.py): it counts where outcomes are settled, in batches, and what a batch has changed
is written at its end. A row for each queue and task that the app declares; all others share one, so that the number of
rows is the app's choice and nobody else's.
"""

import struct
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from postroom.jobs import calls
from postroom.jobs.times import epoch
from postroom.workers.outcome import Outcome

OUTCOMES = ("completed", "retried", "buried", "released", "stale", "declined")
"""What may become of a claimed job. `released`: given back; `stale`: the claim had ended, nothing was accepted;
`declined`: it is for other code.
"""
BOUNDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
"""Upper bounds of the buckets of times, seconds. Above the last is one more."""
OTHER = "other"
"""The label of what the app does not declare."""
MOST_ROWS = 1000

_VERBS = {"complete": 0, "retry": 1, "bury": 2, "release": 3, "limit": 3, "decline": 5}
_STALE = 4
_TOOK = len(OUTCOMES)
_TOOK_SUM = _TOOK + len(BOUNDS) + 1
_WAITED = _TOOK_SUM + 1
_WAITED_SUM = _WAITED + len(BOUNDS) + 1
_CELLS = _WAITED_SUM + 1

_HEAD = struct.Struct("<QQ")  # rows, outages
_NAMES = struct.Struct("<256s")  # queue, NUL, task
_ROW = struct.Struct(f"<{_CELLS}d")
SIZE = _HEAD.size + MOST_ROWS * (_NAMES.size + _ROW.size)
"""Bytes of a tally. Those that nobody writes take no memory."""


class Times(NamedTuple):
    """How long something took, of many jobs."""

    counts: tuple[float, ...]
    """Up to each of BOUNDS, then of all."""
    sum: float


class Row:
    """The numbers of one queue and task."""

    def __init__(self, queue: str, task: str, cells: Sequence[float] = ()) -> None:
        self.queue, self.task = queue, task
        self.cells = list(cells) or [0.0] * _CELLS

    @property
    def outcomes(self) -> dict[str, float]:
        """How many jobs came to which of OUTCOMES."""
        return dict(zip(OUTCOMES, self.cells, strict=False))

    @property
    def took(self) -> Times:
        """How long their handlers ran."""
        return Times(tuple(accumulate(self.cells[_TOOK:_TOOK_SUM])), self.cells[_TOOK_SUM])

    @property
    def waited(self) -> Times:
        """How long they had been on their queue when their handlers began."""
        return Times(tuple(accumulate(self.cells[_WAITED:_WAITED_SUM])), self.cells[_WAITED_SUM])

    def count(self, outcome: Outcome, place: int, enqueued: float | None) -> None:
        """One job's. `place`: of its outcome."""
        cells, started = self.cells, outcome.job.started
        cells[place] += 1
        if started:
            took = max(0.0, outcome.ended - started)
            cells[_TOOK + bisect_left(BOUNDS, took)] += 1
            cells[_TOOK_SUM] += took
            if enqueued is not None:
                waited = max(0.0, started - enqueued)
                cells[_WAITED + bisect_left(BOUNDS, waited)] += 1
                cells[_WAITED_SUM] += waited


class Tally:
    """The counting side.

    Args:
        memory: SIZE bytes, all zero.
        queues, tasks: what the app declares.
    """

    def __init__(self, memory: memoryview, queues: Collection[str], tasks: Collection[str]) -> None:
        self._memory, self._queues, self._tasks = memory, frozenset(queues), frozenset(tasks)
        self._rows: dict[tuple[str, str], tuple[int, Row]] = {}
        self._known: dict[str, dict[str, tuple[int, Row]]] = {}
        """The same by queue, then task, of what is declared: counting a job is one look."""
        self._outages = 0

    def count(self, part: Sequence[Outcome], replies: Sequence[str]) -> None:
        """Outcomes of one verb and queue, and what the server said to each."""
        queue, place = part[0].job.queue, _VERBS[part[0].verb]
        known, touched = self._known.get(queue, {}), dict[int, Row]()
        for outcome, reply in zip(part, replies, strict=True):
            job = outcome.job
            found = known.get(job.task)
            if found is None:
                found = self._row(queue, job.task)
            at, row = found
            row.count(outcome, _STALE if reply == calls.STALE else place, epoch(job.enqueued_at or job.created_at))
            touched[at] = row
        for at, row in touched.items():
            _ROW.pack_into(self._memory, _offset(at) + _NAMES.size, *row.cells)

    def count_outage(self) -> None:
        """The server was not reached, for the first time since it was."""
        self._outages += 1
        self._write_head()

    def _row(self, queue: str, task: str) -> tuple[int, Row]:
        """The row of this queue and task; begun where it is the first time."""
        labels = (queue if queue in self._queues else OTHER, task if task in self._tasks else OTHER)
        if labels not in self._rows and (len(self._rows) >= MOST_ROWS - 1 or not _fits(*labels)):
            labels = (OTHER, OTHER)  # its place is the last one
        found = self._rows.get(labels)
        if found is None:
            at, row = len(self._rows), Row(*labels)
            _NAMES.pack_into(self._memory, _offset(at), "\0".join(labels).encode(errors="replace"))
            found = self._rows[labels] = (at, row)
            self._write_head()
        if queue in self._queues and task in self._tasks:
            self._known.setdefault(queue, {})[task] = found
        return found

    def _write_head(self) -> None:
        _HEAD.pack_into(self._memory, 0, len(self._rows), self._outages)


class Totals:
    """The reading side: the sums of any number of tallies."""

    def __init__(self) -> None:
        self.outages = 0
        self._rows: dict[tuple[str, str], Row] = {}

    @property
    def rows(self) -> list[Row]:
        """By queue and task."""
        return [row for _, row in sorted(self._rows.items())]

    def add(self, memory: memoryview) -> None:
        """Add what a tally says now."""
        count, outages = _HEAD.unpack_from(memory, 0)
        self.outages += outages
        for at in range(count):
            (names,) = _NAMES.unpack_from(memory, _offset(at))
            queue, _, task = names.rstrip(b"\0").decode(errors="replace").partition("\0")
            self._add(Row(queue, task, _ROW.unpack_from(memory, _offset(at) + _NAMES.size)))

    def plus(self, others: Iterator[memoryview]) -> "Totals":
        """These, and what other tallies say now."""
        found = Totals()
        found.outages = self.outages
        for row in self._rows.values():
            found._add(row)
        for memory in others:
            found.add(memory)
        return found

    def _add(self, row: Row) -> None:
        mine = self._rows.setdefault((row.queue, row.task), Row(row.queue, row.task))
        mine.cells = [one + other for one, other in zip(mine.cells, row.cells, strict=True)]


def _offset(at: int) -> int:
    return _HEAD.size + at * (_NAMES.size + _ROW.size)


def _fits(queue: str, task: str) -> bool:
    return len(queue.encode(errors="replace")) + len(task.encode(errors="replace")) < _NAMES.size
