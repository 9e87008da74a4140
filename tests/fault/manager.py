"""A service manager: it starts again what was killed, and lets what was stopped go on when others have its jobs."""

import os
import signal
import threading
import time
from typing import Any

from tests.fault.failpoint import FIRED, POINT, descendants
from tests.fault.trial import PROGRAM, Trial
from tests.integration.programs import Process

STOPPED = 1.0
"""Seconds for which a stopped process stands still at least."""
LATEST = 40.0
"""Seconds after which it goes on, whatever became of its lease."""


class Manager:
    """Runs a producer and a pool in the environment of a failpoint, in a thread of its own, until both have done.

    Args:
        said: the failpoint, for the processes' environment.
    """

    def __init__(self, trial: Trial, said: str, producer: tuple[str, ...], pool: tuple[str, ...]) -> None:
        self._trial, self._said, self._pool = trial, said, pool
        self._produce = producer
        self.pools = [self._start_pool()]
        self.producer = trial.start(*producer, **{POINT: said})
        self.struck = 0
        """The process that met the failpoint; 0: none yet."""
        self._began = self._free = 0.0
        self.finishing = False
        """The pools are told to end: nobody takes over any more."""
        self._closing = False
        self._thread = threading.Thread(target=self._watch, name="manager", daemon=True)
        self._thread.start()

    @property
    def fired(self) -> bool:
        """Was the failpoint met?"""
        return (self._trial.history.folder / FIRED).exists()

    @property
    def quiet(self) -> bool:
        """The producer has done, nothing is stopped, a pool runs, and no lease is left of one that is gone."""
        if self.producer.running or self.producer.wait() < 0 or self._standing or not self.pools[-1].running:
            return False
        pids = {pool.pid for pool in self.pools if pool.running}
        return all(int(process.split("-")[-2]) in pids for process in self._leases())

    def close(self) -> None:
        """Look after them no more."""
        self._closing = True
        self._thread.join()

    @property
    def _standing(self) -> bool:
        return self._said.endswith(":stop") and self.fired and self._free == 0.0

    def _start_pool(self) -> Process:
        arguments = ("-m", "postroom", "worker", PROGRAM, *self._trial.queues, *self._pool)
        return self._trial.start(*arguments, **{POINT: self._said})

    def _watch(self) -> None:
        while not self._closing:
            time.sleep(0.05)
            if not self.producer.running and self.producer.wait() == -signal.SIGKILL:
                self.producer = self._trial.start(*self._produce, **{POINT: self._said})
            if not self.pools[-1].running and self.pools[-1].wait() == -signal.SIGKILL:
                self.pools.append(self._start_pool())
            if self._standing:
                self._stand_by()

    def _stand_by(self) -> None:
        """Somebody is stopped: another host takes over, and it goes on when its lease has surely ended."""
        text = (self._trial.history.folder / FIRED).read_text()
        if not self.struck and text:
            self.struck, self._began = int(text), time.monotonic()
            if not self.finishing and not self._said.startswith(("producer", "aproducer")):
                self.pools.append(self._start_pool())
        if not self.struck:
            return
        pids = [self.struck, *descendants(self.struck)]
        # Again and again: what a stopped pool's processes begin is interrupted, too, when their leases end.
        self._trial.history.faults("stands", pids, sync=False)
        stood = time.monotonic() - self._began
        leased = any(f"-{self.pools[0].pid}-" in process for process in self._leases())
        if (stood > STOPPED and not leased and (self._trial.at_rest() or stood > 8)) or stood > LATEST:
            self._free = time.monotonic()
            try:
                os.kill(self.struck, signal.SIGCONT)
            except ProcessLookupError:
                self._trial.history.faults("late", [self.struck], sync=False)

    def _leases(self) -> list[str]:
        """The worker processes with a lease. Their names end with their pool's process id and a random part."""
        found: Any = self._trial.client.zrange(self._trial.keys.leases(), 0, -1)
        return [process.decode() for process in found]
