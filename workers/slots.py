"""Slots: the places in which a worker process runs jobs, each with its line on the board and its alarm.

A soft timeout raises `JobTimeout` into the thread that overruns; it arrives at the thread's next bytecode, and where
the handler is blocked in C, when that call returns. CPython's PyThreadState_SetAsyncExc does it
(https://docs.python.org/3/c-api/init.html). Past the hard deadline, which stands on the board, the pool kills.
"""

import ctypes
import threading
import time

from postroom.jobs.errors import JobInterrupted, JobTimeout
from postroom.workers.board import Board

_raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc


class Slot:
    """One thread's place to run a job in."""

    def __init__(self, board: Board, index: int, hard_grace: float) -> None:
        self.job_id = ""
        """The running job's; '' where none runs."""
        self._board, self._index, self._grace = board, index, hard_grace
        self._ends = 0.0
        self._thread_id = 0
        self._lock = threading.Lock()
        self._rung = False

    def enter(self, job_id: str, token: int, started: float, timeout: float) -> None:
        """The calling thread begins a job that may take `timeout` seconds; 0 or less: for ever."""
        now = time.monotonic()
        hard = now + timeout + self._grace if timeout > 0 else 0.0
        self._board.enter(self._index, job_id, token, started, hard)
        with self._lock:
            self._thread_id = threading.get_ident()
            self._rung = False
            self.job_id = job_id
            self._ends = now + timeout if timeout > 0 else 0.0

    def disarm(self) -> None:
        """The handler is over. JobTimeout may be raised here for the last time, and not after."""
        with self._lock:
            self._ends = 0.0
            self.job_id = ""
            if self._rung:
                # It was rung but may not have arrived: take it back, so that it cannot strike the next job.
                _raise_in(ctypes.c_ulong(self._thread_id), None)

    def leave(self) -> None:
        """Nothing runs here."""
        self._board.leave(self._index)

    def ring(self) -> bool:
        """Raise JobTimeout in the slot's thread, once, if the time of its job is over. True where it did."""
        return bool(self._ends) and time.monotonic() >= self._ends and self._raise(JobTimeout, "")

    def cancel(self, job_id: str) -> None:
        """Raise JobInterrupted in the slot's thread, if it runs this job."""
        if self.job_id == job_id:
            self._raise(JobInterrupted, job_id)

    def _raise(self, kind: type[BaseException], job_id: str) -> bool:
        with self._lock:
            if self._rung or not self.job_id or (job_id and self.job_id != job_id):
                return False
            if kind is JobTimeout and not (self._ends and time.monotonic() >= self._ends):
                return False  # another job began since the look
            self._rung = True
            _raise_in(ctypes.c_ulong(self._thread_id), ctypes.py_object(kind))
            return True
