"""The coroutine executor: one event loop in a thread of its own, apart from claiming and from the lease."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from postroom.jobs.errors import JobInterrupted
from postroom.workers.board import Board
from postroom.workers.handler import within
from postroom.workers.outcome import Outcome
from postroom.workers.ready import Ready
from postroom.workers.runner import Runner


class Coroutines:
    """Runs up to `count` coroutine jobs at once.

    Args:
        first: the board's first slot of ours; there are `count` from there.
        done: gets what became of a job; called by the loop's thread.
    """

    def __init__(
        self, runner: Runner, board: Board, first: int, count: int, grace: float, done: Callable[[Outcome], None]
    ) -> None:
        self._runner, self._board, self._grace, self._done = runner, board, grace, done
        self._count = count
        self._slots = list(range(first, first + count))
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._canceled: set[str] = set()
        self._given = 0
        self._ended = 0
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._go_round, name="postroom-coroutines", daemon=True).start()

    @property
    def free(self) -> int:
        """How many more jobs can begin."""
        return self._count - self.busy

    @property
    def busy(self) -> int:
        """How many jobs run, or are about to."""
        return self._given - self._ended

    @property
    def waiting(self) -> int:
        """Given jobs begin at once."""
        return 0

    @property
    def oldest(self) -> float:
        """No job waits."""
        return 0.0

    def give(self, jobs: Sequence[Ready]) -> None:
        """Begin these. More than are free begin as well: they were claimed, and a coroutine that waits costs little."""
        self._given += len(jobs)
        self._loop.call_soon_threadsafe(self._begin, jobs)

    def nudge(self) -> None:
        """Given jobs begin at once."""

    def take_back(self) -> list[Ready]:
        """Given jobs begin at once."""
        return []

    def cancel(self, job_id: str) -> None:
        """Cancel this job's task, if it runs here."""
        self._loop.call_soon_threadsafe(self._cancel, job_id)

    def stop(self) -> None:
        """End the loop. What still runs there is canceled; it has been given back."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)

    def _go_round(self) -> None:
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(_cancel_all())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    def _begin(self, jobs: Sequence[Ready]) -> None:
        for ready in jobs:
            task = self._loop.create_task(self._run(ready), context=self._runner.context(ready))
            self._running[ready.job.id] = task

    def _cancel(self, job_id: str) -> None:
        task = self._running.get(job_id)
        if task is not None:
            self._canceled.add(job_id)
            task.cancel()

    async def _run(self, ready: Ready) -> None:
        started, job = time.time(), ready.job
        slot = self._slots.pop() if self._slots else None
        timeout = ready.timeout if ready.timeout > 0 else None
        if slot is not None:
            hard = time.monotonic() + timeout + self._grace if timeout else 0.0
            self._board.enter(slot, job.id, job.token, started, hard)
        try:
            value = await within(ready.timeout, ready.function(*ready.args, **ready.kwargs))  # type: ignore[misc]
        except BaseException as error:  # the handler's; SystemExit must not end the loop
            if job.id in self._canceled and isinstance(error, asyncio.CancelledError):
                error = JobInterrupted()
            outcome = self._runner.raised(ready, error, started)
        else:
            outcome = self._runner.returned(ready, value, started)
        if slot is not None:
            self._board.leave(slot)
            self._slots.append(slot)
        self._running.pop(job.id, None)
        self._canceled.discard(job.id)
        self._ended += 1
        self._done(outcome)


async def _cancel_all() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
