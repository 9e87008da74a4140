"""The coroutine executor: one event loop in a thread of its own, apart from claiming and from the lease."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from postroom.jobs.errors import JobInterrupted
from postroom.workers.board import Board
from postroom.workers.handler import within
from postroom.workers.line import WaitingLine
from postroom.workers.outcome import Outcome, released
from postroom.workers.ready import Ready
from postroom.workers.runner import Runner

log = logging.getLogger("postroom.worker")


class Coroutines(WaitingLine):
    """Runs up to `count` coroutine jobs at once.

    Args:
        first: the board's first slot of ours; there are `count` from there.
        done: gets what became of a job; called by the loop's thread.
    """

    def __init__(
        self, runner: Runner, board: Board, first: int, count: int, grace: float, done: Callable[[Outcome], None]
    ) -> None:
        super().__init__()
        self._runner, self._board, self._grace, self._done = runner, board, grace, done
        self._count = count
        self._slots = list(range(first, first + count))
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._canceled: set[str] = set()
        self._stopping = False
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._go_round, name="postroom-coroutines", daemon=True).start()

    @property
    def free(self) -> int:
        """How many more jobs can begin."""
        return self._count - len(self._running) - len(self._ready)

    @property
    def busy(self) -> int:
        """How many jobs run."""
        return len(self._running)

    def give(self, jobs: Sequence[Ready]) -> None:
        """Let the loop have these, in order."""
        self._ready.extend(jobs)
        self.nudge()

    def nudge(self) -> None:
        """Begin what can begin."""
        self._loop.call_soon_threadsafe(self._begin)

    def cancel(self, job_id: str) -> None:
        """Cancel this job's task, if it runs here."""
        self._loop.call_soon_threadsafe(self._cancel, job_id)

    def stop(self) -> None:
        """End the loop. What still runs there is canceled; it has been given back."""
        self._stopping = True
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)

    def _go_round(self) -> None:
        try:
            while not self._stopping:
                try:
                    self._loop.run_forever()
                except BaseException:  # a SystemExit in a task that a handler started
                    log.exception("a handler ended the event loop; it goes on")
            self._loop.run_until_complete(_cancel_all())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    def _begin(self) -> None:
        while self._slots:
            try:
                ready = self._ready.popleft()
            except IndexError:
                return
            if not ready.begin():
                self._done(released(ready.job))  # the next claim sees that it has expired
                continue
            task = self._loop.create_task(self._run(ready, self._slots.pop()), context=self._runner.context(ready))
            self._running[ready.job.id] = task

    def _cancel(self, job_id: str) -> None:
        task = self._running.get(job_id)
        if task is not None:
            self._canceled.add(job_id)
            # One round later: a task that is canceled before its first step never takes it, and would settle nothing.
            self._loop.call_soon(task.cancel)

    async def _run(self, ready: Ready, slot: int) -> None:
        job = ready.job
        started = job.started = time.time()
        hard = time.monotonic() + ready.timeout + self._grace if ready.timeout > 0 else 0.0
        self._board.enter(slot, job.id, job.token, started, hard)
        try:
            if self._runner.observed:
                with self._runner.observe(ready):
                    outcome = await self._outcome(ready, started)
            else:
                outcome = await self._outcome(ready, started)
        finally:
            self._board.leave(slot)
            self._slots.append(slot)
            self._running.pop(job.id, None)
            self._canceled.discard(job.id)
            self._begin()
        self._done(outcome)

    async def _outcome(self, ready: Ready, started: float) -> Outcome:
        try:
            value = await within(ready.timeout, ready.function(*ready.args, **ready.kwargs))  # type: ignore[misc]
        except BaseException as error:  # the handler's; SystemExit must not end the loop
            if ready.job.id in self._canceled and isinstance(error, asyncio.CancelledError):
                error = JobInterrupted()
            return self._runner.raised(ready, error, started)
        return self._runner.returned(ready, value, started)


async def _cancel_all() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
