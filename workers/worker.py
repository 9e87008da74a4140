"""The worker: one process that runs jobs, from its first claim to its last word."""

import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Sequence
from traceback import format_exc

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.errors import BrokerError
from postroom.jobs.options import check_queue_name
from postroom.jobs.times import rq_time
from postroom.workers.claimed import Claimed
from postroom.workers.consumer import Consumer
from postroom.workers.outcome import Outcome
from postroom.workers.rq_runner import RqRunner, is_theirs
from postroom.workers.runner import Runner
from postroom.workers.threads import Threads
from postroom.workers.timeouts import Slot
from postroom.workers.waiter import Waiter

log = logging.getLogger("postroom.worker")

GRACE = 25.0
"""Seconds that running jobs have to end after the first INT or TERM."""


class Worker:
    """Runs the jobs of `queues` (default: every queue that the app's tasks name) until it is told to stop.

    Args:
        app: with its modules loaded.
        concurrency: threads; `Settings.concurrency` where not given.
        burst: stop when the queues are empty.
    """

    def __init__(
        self, app: Postroom, queues: Sequence[str] = (), *, concurrency: int | None = None, burst: bool = False
    ) -> None:
        self._app = app
        self._queues = tuple(
            dict.fromkeys(queues or sorted({task.queue for task in app.tasks.values()}) or ["default"])
        )
        for queue in self._queues:
            check_queue_name(queue)
        self.process = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._concurrency = concurrency or app.settings.concurrency
        self._burst = burst
        self._stops = 0
        self._consumer = Consumer(app, self._queues, self.process, thorough=burst)

    def stop(self) -> None:
        """Claim no more, let running jobs end, then return from `run`. A second call gives the running jobs back."""
        # Only plain flags: a signal handler runs in the midst of the main thread, which may hold any lock. The main
        # loop looks at them several times a second.
        self._stops += 1
        self._consumer.closing = True

    def run(self) -> None:
        """Work. Returns when stopped, or, in a burst, when the queues are empty.

        Raises:
            BrokerError: the server was not reached at the start.
        """
        self._app.broker.run(calls.renew(self._app.keys, self.process, self._app.settings.lease))
        log.info("worker %s takes %s, %d threads", self.process, ", ".join(self._queues), self._concurrency)
        threads = Threads(self._concurrency, self._runner(), self._consumer.done)
        waiters = {} if self._burst else {q: Waiter(self._app.broker, q, self._consumer.ready) for q in self._queues}
        heart = Heart(self._app, self.process, threads, self._consumer)
        try:
            self._work(threads, waiters)
            self._wind_down(threads)
        finally:
            heart.stop()
            threads.stop()
            for waiter in waiters.values():
                waiter.stop()
            self._resign()

    def install_signals(self) -> None:
        """INT and TERM stop this worker; for the process's main thread."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.stop())

    def _runner(self) -> "_Dispatch":
        ours = Runner(self._app, self.process)
        return _Dispatch(ours, RqRunner(self._app, self.process, ours))

    def _work(self, threads: Threads, waiters: dict[str, Waiter]) -> None:
        empty: dict[str, bool] = {}
        looked_at = -1
        while not self._consumer.closing:
            self._consumer.turn(threads, empty)
            if self._burst and self._consumer.at_rest and not threads.ready and not threads.busy:
                # A job that has just ended may have enqueued another: look until a look brings nothing.
                if looked_at == self._consumer.claims:
                    return
                looked_at = self._consumer.claims
                self._consumer.look_again()
            for queue in empty:
                if queue in waiters:
                    waiters[queue].arm()
            empty.clear()

    def _wind_down(self, threads: Threads) -> None:
        """Give back what was not started, wait for what was, tell the server."""
        self._consumer.closing = True
        self._consumer.give_back(threads.take_back())
        end = time.monotonic() + GRACE
        while (threads.busy or not self._consumer.told) and self._stops < 2 and time.monotonic() < end:
            self._consumer.turn(threads, {})
        if threads.busy:
            log.warning("%d jobs have not ended and are given back", threads.busy)

    def _resign(self) -> None:
        try:
            while back := self._app.broker.run(calls.recover(self._app.keys, self.process, resigned=True)):
                log.info("gave back %s", ", ".join(back))
        except BrokerError as error:
            log.warning("could not say goodbye, the lease of %s will run out instead: %s", self.process, error)
            return
        log.info("worker %s is done", self.process)


class _Dispatch:
    """Whose rules hold for a job?"""

    def __init__(self, ours: Runner, theirs: RqRunner) -> None:
        self._ours, self._theirs = ours, theirs

    def __call__(self, job: Claimed, slot: Slot) -> Outcome:
        try:
            return self._theirs.run(job, slot) if is_theirs(job) else self._ours.run(job, slot)
        except BaseException as error:
            # Nothing may end the thread with the job in its hands: neither a mistake of ours nor an alarm of RQ's
            # callbacks that arrives late.
            log.exception("job %s broke its run", job.id)
            return self._ours.bury(job, f"its run broke: {type(error).__name__}: {error}", format_exc(), time.time())


class Heart:
    """Renews the lease of this process, and tells which of its jobs have been running for a while."""

    def __init__(self, app: Postroom, process: str, threads: Threads, consumer: Consumer) -> None:
        self._app, self._process, self._threads, self._consumer = app, process, threads, consumer
        self._told: set[tuple[str, int]] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="postroom-heart", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Renew no more."""
        self._stopped.set()
        self._thread.join()

    def _beat(self) -> None:
        lease = self._app.settings.lease
        while not self._stopped.wait(lease / 6):
            try:
                lives = self._app.broker.run(calls.renew(self._app.keys, self._process, lease, self._started()))
            except BrokerError as error:
                log.debug("the lease of %s was not renewed: %s", self._process, error)
                continue
            if not lives:
                lost = self._threads.take_back()
                log.warning("the lease had ended: %d claimed jobs are others' now", len(lost))

    def _started(self) -> list[object]:
        """Id, token and start of each job that has been running since the last beat and was not told of yet."""
        running = {slot.claim: slot.started for slot in self._threads.slots if slot.claim is not None}
        news = {claim: at for claim, at in running.items() if claim not in self._told and claim is not None}
        self._told = {claim for claim in running if claim is not None}
        return [part for (job_id, token), at in news.items() for part in (job_id, token, rq_time(at))]
