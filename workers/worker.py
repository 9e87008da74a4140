"""The worker: one process that runs jobs, from its first claim to its last word."""

import inspect
import json
import logging
import os
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.errors import BrokerError, ConfigError
from postroom.jobs.limit_calls import set_rules
from postroom.workers.announcement import Announcement
from postroom.workers.board import Board
from postroom.workers.calling import Calling
from postroom.workers.choice import Choice
from postroom.workers.consumer import Consumer, Executor
from postroom.workers.control import Control
from postroom.workers.coroutines import Coroutines
from postroom.workers.isolated import Isolated
from postroom.workers.job_process import JobProcess
from postroom.workers.memory import resident_bytes
from postroom.workers.ready import COROUTINE, ISOLATED, THREAD
from postroom.workers.rq_runner import RqRunner
from postroom.workers.runner import Runner
from postroom.workers.slots import Slot
from postroom.workers.tally import Tally
from postroom.workers.threads import Threads

log = logging.getLogger("postroom.worker")

GRACE = 25.0
"""Seconds that running jobs have to end after the first INT or TERM."""
MOST_NAMES = 60_000
"""Characters of the names of the queues of one worker, as JSON: a fork server takes an order in one message."""
RECYCLED = 75
"""Exit code of a process that ends because it has run its share: its pool starts another."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker process is to do.

    Args:
        target: `MODULE:app`; without it, `isolate=True` tasks cannot run.
        queues: names, in strict order, or with weights (`high:5`); every queue that the app's tasks name where empty.
        burst: stop when the queues are empty.
        max_jobs, max_memory: end after so many jobs, or above so many bytes; 0: never.
        counts: keep a tally on the board, for metrics.
        log_json: log JSON, a line for each record.
    """

    target: str = ""
    queues: tuple[str, ...] = ()
    concurrency: int = 10
    coroutines: int = 1000
    isolated: int = field(default_factory=lambda: os.cpu_count() or 1)
    burst: bool = False
    max_jobs: int = 0
    max_memory: int = 0
    verbose: bool = False
    counts: bool = False
    log_json: bool = False

    def check(self) -> None:
        """Raises:
        ConfigError: a queue's name or weight is wrong, or they are too many.
        """
        Choice(self.queues)
        if (size := len(json.dumps(self.queues))) > MOST_NAMES:
            raise ConfigError(
                f"{len(self.queues):,} queues, whose names take {size:,} characters; {MOST_NAMES:,} at most: "
                "start several workers, or name none, which are all queues of the app's tasks"
            )

    def choice(self, app: Postroom) -> Choice:
        """Which queues it takes, and how it chooses among them."""
        return Choice(self.queues or tuple(sorted({task.queue for task in app.tasks.values()})) or ("default",))

    def known_queues(self, app: Postroom) -> list[str]:
        """Those that it takes, and those that the app's tasks name."""
        return sorted({*self.choice(app).queues, *(task.queue for task in app.tasks.values())})

    def announcement(self, app: Postroom, process: str, pid: int) -> Announcement:
        """What a process with these orders says of itself."""
        return Announcement.of(app, process, pid, tuple(self.choice(app).queues), self.concurrency)

    @property
    def slots(self) -> int:
        """How many jobs may run at once: threads, then coroutines, then isolated processes."""
        return self.first_isolated + self.isolated

    @property
    def first_isolated(self) -> int:
        """The first slot of the isolated processes."""
        return self.concurrency + self.coroutines


def new_process_name() -> str:
    """A worker process's name: where it runs, and a part that no other has."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


class Worker:
    """Runs jobs until it is told to stop. Somebody outside renews its lease (keeper.py).

    Args:
        warm: an isolated process that is there already.

    Raises:
        ConfigError: a queue's name or weight is wrong, or a task must be isolated and there is no target.
    """

    def __init__(
        self, app: Postroom, orders: Orders, process: str, board: Board, warm: JobProcess | None = None
    ) -> None:
        self._warm = warm
        self._app, self._orders, self._process, self._board = app, orders, process, board
        self._choice = orders.choice(app)
        self._runner = Runner(app, process, can_isolate=bool(orders.target))
        if not orders.target and any(task.isolate for task in app.tasks.values()):
            raise ConfigError("isolate=True tasks need a worker that is started as `postroom worker MODULE:app`")
        shares = {queue: _shares(app, queue) for queue in self._choice.queues}
        tally = None
        if board.tally is not None:
            tally = Tally(board.tally, orders.known_queues(app), {*app.tasks, *app.allowed})
        read = self._runner.read
        burst, count = orders.burst, board.count_claim
        self._consumer = Consumer(
            app, self._choice, process, read, shares, thorough=burst, tally=tally, count_claim=count
        )
        self._stops = 0
        self._leases_lost = board.leases_lost
        self._looked_at = -1

    def stop(self, level: int = 0) -> None:
        """Claim no more, let running jobs end, then return from `run`. A second call gives the running jobs back.

        Args:
            level: 1 is a first call, however often it comes, 2 a second; 0 counts the calls.
        """
        # Only plain flags: a signal handler runs in the midst of the main thread, which may hold any lock. Who leads
        # looks at them several times a second.
        self._stops = max(self._stops, level) if level else self._stops + 1
        self.quiet()

    def quiet(self) -> None:
        """Claim no more."""
        self._consumer.closing = True

    def run(self) -> int:
        """Work; returns the exit code: 0, or RECYCLED.

        Raises:
            BrokerError: the server was not reached at the start.
        """
        self._app.broker.run_many(set_rules(self._app.keys, self._app.rules_of_tasks()))
        self._consumer.join()
        self._announce()
        queues = ", ".join(self._choice.queues)
        log.info("worker %s takes %s, %d threads", self._process, queues, self._orders.concurrency)
        if pickled := sorted(self._app.pickle_queues & {*self._choice.queues}):
            told = "jobs of RQ's producers on %s are unpickled: whoever can write to the server can run any code here"
            log.warning(told, ", ".join(pickled))
        threads = self._make_threads()
        executors = self._consumer.executors = {THREAD: threads, **self._make_others()}
        control = Control(self._app.broker, self._process, self._cancel)
        recycled = False
        try:
            recycled = threads.lead(self._turn)
            self._wind_down()
        finally:
            control.stop()
            for executor in executors.values():
                executor.stop()
            self._consumer.close()
            self._resign()
        return RECYCLED if recycled else 0

    def _announce(self) -> None:
        """Say what it takes, at once; the keeper says it again and again. Not being heard is no reason not to work."""
        said = self._orders.announcement(self._app, self._process, os.getpid())
        try:
            self._app.broker.run(said.call(self._app.keys, busy=False))
        except BrokerError as error:
            log.warning("worker %s could not be announced: %s", self._process, error)

    def _make_threads(self) -> Threads:
        slots = [Slot(self._board, index, self._app.settings.hard_grace) for index in range(self._orders.concurrency)]
        calling = Calling(self._runner, RqRunner(self._app, self._process, self._runner))
        return Threads(slots, calling, self._consumer.outbox.add)

    def _make_others(self) -> Mapping[str, Executor]:
        orders, board, done = self._orders, self._board, self._consumer.outbox.add
        grace = self._app.settings.hard_grace
        executors: dict[str, Executor] = {
            COROUTINE: Coroutines(self._runner, board, orders.concurrency, orders.coroutines, grace, done),
        }
        if orders.target:
            first, count = orders.first_isolated, orders.isolated
            executors[ISOLATED] = Isolated(orders.target, self._runner, board, first, count, grace, done, self._warm)
        return executors

    def _turn(self) -> bool | None:
        """One turn of the thread that leads. Not None: the work is over; True where the process has run its share."""
        if self._stops:
            return False
        self._board.tick()
        self._consumer.turn()
        self._notice()
        if self._has_run_its_share():
            return True
        if self._orders.burst and self._consumer.at_rest:
            # A job that has just ended may have enqueued another: look until a look brings nothing.
            if self._looked_at == self._board.claims:
                return False
            self._looked_at = self._board.claims
            self._consumer.look_again()
        return None

    def _notice(self) -> None:
        """Whether our lease was lost: the board says so, or a claim's reply did."""
        if self._board.leases_lost != self._leases_lost:
            self._leases_lost = self._board.leases_lost
            self._consumer.gone = True
        if self._consumer.gone:
            # Released, not dropped: some may be of a claim that was made since. The fence knows which are others' now.
            self._consumer.give_back()
            if self._consumer.join_again():
                self._announce()

    def _has_run_its_share(self) -> bool:
        orders = self._orders
        if orders.max_jobs and self._consumer.settled >= orders.max_jobs:
            log.info("worker %s has run %d jobs and makes room for another", self._process, self._consumer.settled)
            return True
        if orders.max_memory and (size := resident_bytes()) > orders.max_memory:
            log.info("worker %s has grown to %d MB and makes room for another", self._process, size // 1_000_000)
            return True
        return False

    def _wind_down(self) -> None:
        """Give back what was not started, wait for what was, tell the server."""
        self._consumer.closing = True
        self._consumer.give_back()
        end = float("inf")
        while (self._consumer.busy or not self._consumer.outbox.empty) and self._stops < 2 and time.monotonic() < end:
            self._board.tick()
            self._notice()
            self._consumer.turn()
            if self._stops:  # a process that is only recycled has all the time that its jobs need
                end = min(end, time.monotonic() + GRACE)
        if self._consumer.busy:
            log.warning("%d jobs have not ended and are given back", self._consumer.busy)

    def _cancel(self, job_id: str) -> None:
        for executor in self._consumer.executors.values():
            executor.cancel(job_id)

    def _resign(self) -> None:
        try:
            while back := self._app.broker.run(calls.recover(self._app.keys, self._process, resigned=True)):
                log.info("gave back %s", ", ".join(back))
        except BrokerError as error:
            log.warning("could not say goodbye, the lease of %s will run out instead: %s", self._process, error)
            return
        log.info("worker %s is done", self._process)


def _shares(app: Postroom, queue: str) -> dict[str, float]:
    """To which executors the queue's jobs will go, as its tasks suggest."""
    kinds = [
        ISOLATED if task.isolate else COROUTINE if inspect.iscoroutinefunction(task.function) else THREAD
        for task in app.tasks.values()
        if task.queue == queue
    ] or [THREAD]
    return {kind: kinds.count(kind) / len(kinds) for kind in kinds}
