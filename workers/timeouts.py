"""Soft timeouts of handlers that run in threads: `JobTimeout` is raised into the thread that overruns.

The exception arrives at the thread's next bytecode; a handler that is blocked in C gets it when the C call returns.
CPython's PyThreadState_SetAsyncExc does it (https://docs.python.org/3/c-api/init.html).
"""

import ctypes
import threading
import time

from postroom.jobs.errors import JobTimeout

_raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc


class Slot:
    """One thread's place to run a job in, with the alarm of the job that runs there."""

    def __init__(self) -> None:
        self.ends = 0.0
        """When the running job's time is over, by time.monotonic(); 0 where none runs."""
        self.started = 0.0
        """When the running job began, seconds since the epoch."""
        self.claim: tuple[str, int] | None = None
        """Id and token of the running job."""
        self._thread_id = 0
        self._lock = threading.Lock()
        self._rung = False

    def arm(self, timeout: float) -> None:
        """The calling thread begins a job that may take `timeout` seconds; -1 for ever."""
        self._thread_id = threading.get_ident()
        self._rung = False
        self.ends = time.monotonic() + timeout if timeout > 0 else 0.0

    def disarm(self) -> None:
        """The job is over. JobTimeout may be raised here for the last time, and not after."""
        with self._lock:
            self.ends = 0.0
            if self._rung:
                # It was rung but may not have arrived: take it back, so that it cannot strike the next job.
                _raise_in(ctypes.c_ulong(self._thread_id), None)

    def ring(self) -> bool:
        """Raise JobTimeout in the slot's thread, once, if the time of its job is over. True where it did."""
        if not self.ends or time.monotonic() < self.ends or self._rung:
            return False
        with self._lock:
            if not self.ends or self._rung:
                return False
            self._rung = True
            _raise_in(ctypes.c_ulong(self._thread_id), ctypes.py_object(JobTimeout))
            return True
