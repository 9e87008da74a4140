"""The pool: starts worker processes, keeps their leases, sees their deaths, and starts others in their place."""

import logging
import os
import selectors
import signal
import time
from collections.abc import Sequence

from postroom.jobs.app import Postroom
from postroom.jobs.errors import BrokerError
from postroom.jobs.failure import Death
from postroom.workers import autopsy
from postroom.workers.forkserver import ForkServer
from postroom.workers.keeper import Keeper
from postroom.workers.lifeline import Started, spawn
from postroom.workers.process import WorkerProcess
from postroom.workers.record import Record
from postroom.workers.worker import GRACE, RECYCLED, Orders

log = logging.getLogger("postroom.pool")

LOOK = 0.1
"""Seconds between two looks at hard deadlines."""
LATE = 5.0
"""Seconds after the grace when a process that has not ended is killed."""
FIRST_PAUSE, LAST_PAUSE = 0.1, 30.0
"""Seconds before a process is started again that died before its first claim, and the most that this grows to."""


class Pool:
    """Runs `count` worker processes until it is told to stop.

    Args:
        command: what starts a worker process, or a fork server (postroom/worker_process.py).
    """

    def __init__(self, app: Postroom, command: Sequence[str], orders: Orders, count: int) -> None:
        self._app, self._command, self._orders, self._count = app, command, orders, count
        self.record = Record(count)
        self._processes: list[WorkerProcess] = []
        self._due: list[float] = []
        self._pause = FIRST_PAUSE
        self._stops = 0
        self._told = 0
        self._stopped_at = 0.0
        self._selector = selectors.DefaultSelector()
        told = {"target": orders.target, "verbose": orders.verbose, "log_json": orders.log_json}
        self._forks = ForkServer([*command, "serve"], told)

    def run(self) -> None:
        """Work until stopped, or, in a burst, until all processes are through."""
        keeper = Keeper(self._app)
        self._forks.wait(self._stopping)
        self._due = [] if self._stops else [0.0] * self._count
        try:
            while self._processes or self._due:
                self._stopping()
                self._start_due(keeper)
                self._pass_on()
                self._wait()
                for process in list(self._processes):
                    process.kill_if_overdue()
                    death = process.reap()
                    if death is not None:
                        self._bury(process, death, keeper)
                self._reap_adopted()
                self._kill_late()
        finally:
            self._forks.close()
            for process in self._processes:
                process.close()
            keeper.stop()

    def install_signals(self) -> None:
        """INT and TERM stop the pool, a second one gives running jobs back; TSTP: claim no more; TTIN: show stacks."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.stop())
        for number in (signal.SIGTSTP, signal.SIGTTIN):
            signal.signal(number, lambda number, _: self._tell(number))

    def stop(self) -> None:
        """Let running jobs end; a second call gives them back."""
        # Only a number: this runs in the midst of the loop, which may be starting a process that nobody would tell.
        self._stops += 1

    def _stopping(self) -> bool:
        """Was it told to stop? For the record, it goes round."""
        self.record.look(stopping=bool(self._stops))
        return bool(self._stops)

    def _pass_on(self) -> None:
        """Tell the processes what the pool was told since."""
        if self._told >= min(self._stops, 2):
            return
        self._told += 1
        self._stopped_at = self._stopped_at or time.monotonic()
        self._due.clear()
        self._tell(signal.SIGTERM if self._told == 1 else signal.SIGINT)

    def _tell(self, number: int) -> None:
        for process in self._processes:
            process.send(number)

    def _start_due(self, keeper: Keeper) -> None:
        now = time.monotonic()
        due = [at for at in self._due if at <= now]
        self._due = [at for at in self._due if at > now]
        for _ in due:
            try:
                process = WorkerProcess(self._start, self._orders)
            except OSError as error:
                log.error("no worker process could be started, trying again: %s", error)
                self._due.append(now + LAST_PAUSE / 10)
                continue
            self._processes.append(process)
            self.record.began(process)
            keeper.add(process.board, self._orders.announcement(self._app, process.name, process.pid))
            if process.pidfd >= 0:
                self._selector.register(process.pidfd, selectors.EVENT_READ)

    def _start(self, order: str, fds: Sequence[int]) -> Started:
        forked = self._forks.fork(order, fds)
        if forked is not None:
            return forked
        process, lifeline = spawn([*self._command, "work", order], fds=fds)
        return Started(process.pid, lifeline, process)

    def _reap_adopted(self) -> None:
        """See off the children of dead descendants: a pool inherits them, as the first process of a container does."""
        ours = {process.pid for process in self._processes} | {self._forks.pid}
        try:
            while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and ended.si_pid not in ours:
                os.waitpid(ended.si_pid, 0)
        except ChildProcessError:
            return

    def _wait(self) -> None:
        if self._selector.get_map():
            self._selector.select(LOOK)
        else:
            time.sleep(LOOK)

    def _bury(self, process: WorkerProcess, death: Death, keeper: Keeper) -> None:
        """A process has died: see to what it started, to its jobs, then to its place."""
        process.kill_group()
        self._processes.remove(process)
        keeper.remove(process.name)
        if process.pidfd >= 0:
            self._selector.unregister(process.pidfd)
        back = 0
        try:
            back = autopsy.settle(self._app, process, death)
        except BrokerError as error:
            log.warning("the jobs of %s wait until its lease has ended: %s", process.name, error)
        self.record.ended(process, back)
        self._replace(process, death)
        process.close()

    def _replace(self, process: WorkerProcess, death: Death) -> None:
        if self._stops:
            return
        if process.board.ended and death.exit_code != RECYCLED and self._orders.burst:
            return
        if process.has_worked:
            self._pause = FIRST_PAUSE
            self._due.append(0.0)
            return
        log.error("worker %s died by %s before its first claim; again in %.1f s", process.name, death.how, self._pause)
        self._due.append(time.monotonic() + self._pause)
        self._pause = min(2 * self._pause, LAST_PAUSE)

    def _kill_late(self) -> None:
        if self._stopped_at and time.monotonic() > self._stopped_at + GRACE + LATE:
            for process in self._processes:
                process.kill()
