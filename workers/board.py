"""The board: shared memory in which a worker process writes what it runs, and its pool reads it, dead or alive.

Nothing is locked: each slot has one writer, and what the pool reads of a living writer it only uses for judgements that
it makes again at the next look.
"""

import mmap
import os
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

from postroom.workers import tally

ID_BYTES = 256
"""The longest id of a job that can stand there. Ours have 128 bytes at most; RQ's producers may give any."""

_HEAD = struct.Struct("<dQQQ")  # tick (time.monotonic), claims made, leases lost, ended by itself
# Of a slot: started (epoch; 0: ended), token, hard deadline (time.monotonic; 0: none), job id.
_SLOT = struct.Struct(f"<dQd{ID_BYTES}s")
_COUNT = struct.Struct("<Q")
_TICK, _STARTED = struct.Struct("<d"), struct.Struct("<d")


@dataclass(frozen=True, slots=True)
class Running:
    """One job that a worker process runs, or ran last in one of its slots."""

    slot: int
    id: str
    token: int
    started: float
    """Seconds since the epoch; 0: it has ended."""
    hard_deadline: float
    """By time.monotonic(), which all processes of a machine share; 0: none."""


class Board:
    """The board of one worker process. `fd` is inherited by the process: both sides map it.

    Args:
        counts: it has a tally.
    """

    def __init__(self, slots: int, fd: int | None = None, *, counts: bool = False) -> None:
        self.slots = slots
        own = _HEAD.size + slots * _SLOT.size
        size = own + (tally.SIZE if counts else 0)
        self.fd = os.memfd_create("postroom-board") if fd is None else fd
        if fd is None:
            os.ftruncate(self.fd, size)
        self._memory = mmap.mmap(self.fd, size)
        self.tally = memoryview(self._memory)[own:] if counts else None
        """The memory of a Tally, where it has one."""

    def close(self) -> None:
        """Close the descriptor. The memory stays mapped while anybody holds the board: a late thread may write."""
        os.close(self.fd)

    # The worker process writes -------------------------------------------------------------------------------------

    def tick(self) -> None:
        """The process's main loop goes round."""
        _TICK.pack_into(self._memory, 0, time.monotonic())

    def count_claim(self) -> None:
        """A claim was made: the process works."""
        _COUNT.pack_into(self._memory, 8, self.claims + 1)

    def end(self) -> None:
        """The process has said its last word: whatever follows is no death."""
        _COUNT.pack_into(self._memory, 24, 1)

    def enter(self, slot: int, job_id: str, token: int, started: float, hard_deadline: float) -> None:
        """A job begins in `slot`."""
        _SLOT.pack_into(self._memory, _HEAD.size + slot * _SLOT.size, started, token, hard_deadline, job_id.encode())

    def leave(self, slot: int) -> None:
        """The job in `slot` has ended. Its name stays: a process may die of what it leaves behind."""
        _STARTED.pack_into(self._memory, _HEAD.size + slot * _SLOT.size, 0.0)

    # The pool reads, and tells of a lost lease ---------------------------------------------------------------------

    @property
    def ticked(self) -> float:
        """When the main loop last went round, by time.monotonic()."""
        return float(_TICK.unpack_from(self._memory, 0)[0])

    @property
    def claims(self) -> int:
        """How many claims were made."""
        return int(_COUNT.unpack_from(self._memory, 8)[0])

    @property
    def leases_lost(self) -> int:
        """How often the process's lease had ended when it was renewed."""
        return int(_COUNT.unpack_from(self._memory, 16)[0])

    @property
    def ended(self) -> bool:
        """Did the process come to its own end?"""
        return bool(_COUNT.unpack_from(self._memory, 24)[0])

    def lose_lease(self) -> None:
        """What the process has not begun is others' now."""
        _COUNT.pack_into(self._memory, 16, self.leases_lost + 1)

    def running(self) -> Iterator[Running]:
        """The jobs that run now, or ran when the process died."""
        return (job for job in self.last_seen() if job.started)

    def last_seen(self) -> Iterator[Running]:
        """The last job of each slot, running or ended."""
        for slot in range(self.slots):
            started, token, hard, job_id = _SLOT.unpack_from(self._memory, _HEAD.size + slot * _SLOT.size)
            if token:
                yield Running(slot, job_id.rstrip(b"\0").decode(errors="replace"), token, started, hard)
