"""One worker process, as its pool sees it: how it is started, how it is doing, what it died of."""

import json
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict

from postroom.jobs.failure import Death
from postroom.workers.board import Board, Running
from postroom.workers.evidence import Witness
from postroom.workers.lifeline import Started
from postroom.workers.worker import Orders, new_process_name

log = logging.getLogger("postroom.pool")

HUNG = 60.0
"""Seconds for which a main loop may stand still with no job running, before the process is killed."""

FDS = ("board", "stack")
"""The descriptors that a worker process gets, as its order names them."""
Start = Callable[[str, Sequence[int]], Started]
"""Starts a worker process: gets its order as JSON, and the descriptors FDS."""


class WorkerProcess:
    """A started worker process.

    Args:
        start: starts it; its order holds the orders, its name and the descriptors.

    Raises:
        OSError: it could not be started.
    """

    def __init__(self, start: Start, orders: Orders) -> None:
        self.orders = orders
        self.name = new_process_name()
        self.board = Board(orders.slots, counts=orders.counts)
        self._witness = Witness()
        fds = (self.board.fd, self._witness.stack)
        order = {"orders": asdict(orders), "process": self.name, **dict(zip(FDS, fds, strict=True))}
        try:
            self._started = start(json.dumps(order), fds)
        except OSError:
            self._witness.close()
            self.board.close()
            raise
        self.pid = self._started.pid
        self.started = time.monotonic()
        self.killed = False
        """We have killed it."""
        self.killed_for: list[Running] = []
        """The jobs whose hard deadline made us kill it."""
        self._suspected: tuple[set[tuple[str, int]], bool] = (set(), False)
        self.pidfd = _open_pid(self.pid)

    @property
    def has_worked(self) -> bool:
        """Did it ever claim a job?"""
        return self.board.claims > 0

    def send(self, number: int) -> None:
        """Signal it, if it lives."""
        # Not Popen.poll(): that would reap it, and its death would be told to nobody.
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            log.debug("process %d was gone already", self.pid)

    def kill_if_overdue(self) -> None:
        """Kill it where a job of it is past its hard deadline, or where it stands still with nothing to do.

        Judged at two looks: the board is not locked, and one look may see half of what is being written.
        """
        now = time.monotonic()
        running = list(self.board.running())
        overdue = [job for job in running if job.hard_deadline and job.hard_deadline <= now]
        still = bool(self.board.ticked) and not running and now - self.board.ticked > HUNG
        before, stood = self._suspected
        self._suspected = ({(job.id, job.token) for job in overdue}, still)
        overdue = [job for job in overdue if (job.id, job.token) in before]
        if self.killed:
            return
        if overdue:
            self.killed_for = overdue
            log.warning("killing %s: past its hard deadline: %s", self.name, ", ".join(job.id for job in overdue))
            self.kill()
        elif still and stood:
            log.warning("killing %s: its main loop has stood still for %.0f s", self.name, now - self.board.ticked)
            self.kill()

    def kill(self) -> None:
        """SIGKILL it, and what it started."""
        self.killed = True
        self.kill_group()

    def kill_group(self) -> None:
        """SIGKILL whatever is left of its process group."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            log.debug("process %d was gone already", self.pid)

    def reap(self) -> Death | None:
        """Its death, once; None while it lives."""
        death = self._witness.reap(self.pid, os.WNOHANG)
        if death is not None and self._started.popen is not None:
            self._started.popen.returncode = death.exit_code
        return death

    def close(self) -> None:
        """Let go of what belongs to it. Its handlers' own children do not outlive it."""
        self.kill_group()
        for fd in (self._started.lifeline, *((self.pidfd,) if self.pidfd >= 0 else ())):
            os.close(fd)
        self._witness.close()
        self.board.close()


def _open_pid(pid: int) -> int:
    """A descriptor that becomes readable when the process dies; -1 where the system has none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1
