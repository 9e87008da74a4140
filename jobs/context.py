"""What a handler may know of the job it runs: `current_job`."""

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime

from postroom.jobs.origins import Origins
from postroom.jobs.progress import Progress


def _nobody(run: "Run", progress: Progress) -> None:
    """Where no worker runs it."""


def _nowhere(record: logging.LogRecord) -> None:
    """Where no worker runs it."""


@dataclass(slots=True)
class Run:
    """One execution of one job."""

    id: str
    queue: str
    task: str
    attempt: int
    """1 for the first; redeliveries after a lost worker are not counted."""
    fence: int
    """Rises with every claim of the job: give it to a store that refuses writes with a lower one."""
    tell: Callable[["Run", Progress], None] = field(default=_nobody, repr=False, compare=False)
    """Takes its progress to the server."""
    origins: Origins | None = field(default=None, repr=False, compare=False)
    """What its arguments were read from, where that may hold more than they do."""
    ends: float | None = None
    """Its deadline by the server's clock (seconds since the epoch); None: it has none."""
    expires: float = 0.0
    """The same by time.monotonic()."""
    keep: Callable[[logging.LogRecord], None] = field(default=_nowhere, repr=False, compare=False)
    """Takes what it logs to the server."""

    @property
    def idempotency_key(self) -> str:
        """The same for every execution of this job: give it to an API that accepts one effect per key."""
        return self.id

    def set_progress(self, done: float, total: float | None = None) -> None:
        """Say how far the job is, as often as you like: `job.progress()` shows the newest word within half a second.

        Args:
            done, total: in whatever you count; without a total, where that is not known.

        Raises:
            ValueError: one of them is no number of 0 or more.
        """
        self.tell(self, Progress.of(done, total))

    @property
    def correlation_id(self) -> str:
        """What work it is a part of, where the setting `correlation` is on: the id of the job that began it, or what
        its producer said. Else its own id.
        """
        return correlation.get() or self.id

    @property
    def deadline(self) -> datetime | None:
        """When it must have ended (UTC); None: it has no deadline. What it enqueues has the same, or an earlier one."""
        return None if self.ends is None else datetime.fromtimestamp(self.ends, UTC)

    def remaining(self) -> float | None:
        """Seconds until its deadline, by the server's clock, 0 where that has passed; None: it has no deadline."""
        return None if self.ends is None else max(0.0, self.expires - time.monotonic())

    @property
    def log(self) -> logging.Logger:
        """A logger whose lines `job.logs()` shows; its records name the job where `--log-json` is on. INFO and higher,
        where logging is not set up to keep more.
        """
        if _logger.level == logging.NOTSET and not _logger.isEnabledFor(logging.INFO):
            _logger.setLevel(logging.INFO)
        return _logger


class _Keep(logging.Filter):
    """Shows each record to the job that logs it. A filter and no handler: with one of those, logging would think that
    somebody prints the record.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let it pass."""
        run = current.get(None)
        if run is not None:
            run.keep(record)
        return True


_logger = logging.getLogger("postroom.job")
_logger.addFilter(_Keep())

current: ContextVar[Run] = ContextVar("postroom_current_job")
correlation: ContextVar[str] = ContextVar("postroom_correlation", default="")
"""What work jobs that are enqueued here are a part of, where the setting `correlation` is on; '': nobody said."""


class CurrentJob:
    """The job that the calling handler runs, with the fields of `Run`."""

    def __getattr__(self, name: str) -> object:
        return getattr(_run(name), name)

    def set_progress(self, done: float, total: float | None = None) -> None:
        """As `Run.set_progress`."""
        _run("set_progress").set_progress(done, total)

    @property
    def log(self) -> logging.Logger:
        """As `Run.log`."""
        return _run("log").log

    @property
    def deadline(self) -> datetime | None:
        """As `Run.deadline`."""
        return _run("deadline").deadline

    def remaining(self) -> float | None:
        """As `Run.remaining`."""
        return _run("remaining").remaining()

    def __bool__(self) -> bool:
        """True inside a handler."""
        return current.get(None) is not None


def _run(name: str) -> Run:
    run = current.get(None)
    if run is None:
        raise RuntimeError(f"current_job.{name}: no job runs here; current_job is for the inside of a handler")
    return run


current_job = CurrentJob()
