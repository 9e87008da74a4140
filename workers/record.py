"""The record: what a pool can tell of itself and of its worker processes, those that have died included.

The pool writes it, whoever answers for it reads it in another thread.
"""

import threading
import time
from dataclasses import dataclass

from postroom.workers.keeper import lives
from postroom.workers.memory import resident_bytes
from postroom.workers.process import WorkerProcess
from postroom.workers.tally import Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a pool stands."""

    wanted: int
    """Worker processes that there shall be."""
    processes: int
    """Those that there are."""
    joined: int
    """Those that take jobs, or are busy with one."""
    stopping: bool
    looked: float
    """Seconds since the pool's main loop last went round."""
    running: int
    """Jobs that run."""
    memory: int
    """Resident bytes of the worker processes."""
    claims: int
    restarts: int
    deaths: int
    """Worker processes that did not end by themselves."""
    recovered: int
    """Jobs of those that were put back."""


class Record:
    """Kept by one pool that shall have `wanted` processes."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._lock = threading.Lock()
        self._processes: list[WorkerProcess] = []
        self._claims = self._starts = self._deaths = self._recovered = 0
        self._totals = Totals()
        self._looked = time.monotonic()
        self._stopping = False

    def look(self, *, stopping: bool) -> None:
        """The pool's main loop goes round."""
        self._looked, self._stopping = time.monotonic(), stopping

    def began(self, process: WorkerProcess) -> None:
        """A worker process was started."""
        with self._lock:
            self._processes.append(process)
            self._starts += 1

    def ended(self, process: WorkerProcess, recovered: int) -> None:
        """It is gone; so many of its jobs were put back."""
        board = process.board
        with self._lock:
            self._processes.remove(process)
            self._claims += board.claims
            self._recovered += recovered
            self._deaths += not board.ended
            if board.tally is not None:
                self._totals.add(board.tally)

    def standing(self) -> Standing:
        """How the pool stands now."""
        with self._lock:
            processes = list(self._processes)
            boards = [process.board for process in processes]
            return Standing(
                wanted=self._wanted,
                processes=len(boards),
                joined=sum(bool(board.ticked) and lives(board) for board in boards),
                stopping=self._stopping,
                looked=time.monotonic() - self._looked,
                running=sum(1 for board in boards for _ in board.running()),
                memory=sum(resident_bytes(process.pid) for process in processes),
                claims=self._claims + sum(board.claims for board in boards),
                restarts=max(0, self._starts - self._wanted),
                deaths=self._deaths,
                recovered=self._recovered,
            )

    def totals(self) -> Totals:
        """What became of its jobs so far."""
        with self._lock:
            boards = [process.board for process in self._processes]
            return self._totals.plus(board.tally for board in boards if board.tally is not None)
