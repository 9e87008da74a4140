"""The kit of mode `inline`: enqueue runs the job at once, read and judged by the runner of the workers."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.context import Run
from postroom.jobs.failure import Failure
from postroom.jobs.kit import Enqueued, Kit, Tray
from postroom.jobs.progress import Progress
from postroom.jobs.secrets import Veil
from postroom.workers.board import Board
from postroom.workers.calling import Calling
from postroom.workers.claimed import Claimed, claimed_from
from postroom.workers.outcome import Outcome
from postroom.workers.progress import Reporter, line_of
from postroom.workers.rq_runner import RqRunner
from postroom.workers.runner import Runner
from postroom.workers.slots import Slot

T = TypeVar("T")

PROCESS = "testing"
"""The worker's name."""


@contextmanager
def open_kit(app: Postroom, _url: str | None, raises: bool) -> Iterator[Kit]:
    """The kit."""
    yield InlineKit(app, raises)


def off_loop(work: Callable[[], T]) -> T:
    """Do it here; in a thread where an event loop runs here, for a handler that is a coroutine makes its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


class InlineKit(Kit):
    """Runs each job when it is handed over, whatever delay it has."""

    def __init__(self, app: Postroom, raises: bool) -> None:
        self._tray = _Tray(app.keys, self.take)
        super().__init__(app, self._tray)
        self._postroom, self._raises = app, raises
        self._tokens = itertools.count(1)

    def take(self, job: Enqueued) -> None:
        """Run it, once: a failed attempt is not repeated, but its retry policy is asked what would come of it."""
        super().take(job)
        error = off_loop(lambda: self._run(job))
        if error is not None and self._raises:
            raise error

    def _run(self, job: Enqueued) -> BaseException | None:
        stored = {name.encode(): _bytes(value) for name, value in job.fields.items()}
        claimed = claimed_from(job.id, next(self._tokens), stored)
        runner = _Runner(self._postroom, job.fields)
        read = runner.read(claimed)
        if isinstance(read, Outcome):
            outcome = read
        else:
            board = Board(1)
            try:
                slot = Slot(board, 0, 0.0)  # nobody rings it: whoever looks for a mistake may take their time
                outcome = Calling(runner, _NoneOfRqs())(read, slot)
            finally:
                board.close()
        job.fields |= _after(outcome)
        if outcome.verb == "complete" and read.result_ttl == 0:  # type: ignore[union-attr]
            del self._tray.jobs[job.id]
        if runner.error is not None:
            runner.error.add_note(f"job {job.id}, {job}: {_told(outcome)}")
        return runner.error


class _Tray(Tray):
    async def atry_many(self, asked: Sequence[calls.Call[Any]]) -> list[Any]:
        """The caller's loop goes on meanwhile, as it would."""
        return [await asyncio.to_thread(self.answer, call) for call in asked]


class _NoneOfRqs(RqRunner):
    """What was enqueued here is never RQ's."""

    def __init__(self) -> None:
        pass


class _Words(Reporter):
    """What the handler says stands at once where the worker's script would write it."""

    def __init__(self, fields: dict[str, Any], veil_of: Callable[[Claimed], Veil]) -> None:
        self._fields, self._veil_of = fields, veil_of

    def tell(self, run: Run, progress: Progress) -> None:
        self._fields["p:progress"] = progress.text

    def note(self, job: Claimed, record: logging.LogRecord) -> None:
        self._fields["p:log"] = self._fields.get("p:log", b"") + line_of(job, record, self._veil_of(job))


class _Runner(Runner):
    """The workers', which remembers what the handler raised."""

    def __init__(self, app: Postroom, fields: dict[str, Any]) -> None:
        super().__init__(app, PROCESS)
        self._reporter = _Words(fields, self.veil)
        self.error: BaseException | None = None

    def failure(self, job: Any, error: BaseException, *more: Any, **named: Any) -> Failure:
        self.error = self.error or error
        return super().failure(job, error, *more, **named)


def _after(outcome: Outcome) -> Mapping[str, Any]:
    """What the outcome's script would write into the job's hash."""
    args = outcome.args
    match outcome.verb:
        case "complete":
            return {"status": "finished", "result": args[2], "started_at": args[3], "ended_at": args[4]}
        case "bury":
            return {"status": "failed", **_pairs(args[6:])}
        case "retry":
            return {"status": "scheduled" if args[2] else "queued", **_pairs(args[6:])}
        case "decline":
            return {"status": "scheduled", "p:waits": args[4]}
    return {}  # released


def _told(outcome: Outcome) -> str:
    attempt = f"attempt {outcome.job.attempt} failed"
    if outcome.verb == "retry":
        return f"{attempt}, and its retry policy runs it again in {outcome.args[2]:.1f} s"
    return f"{attempt}, and it is a dead letter: {_pairs(outcome.args[6:]).get('p:cause')}"


def _pairs(flat: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
