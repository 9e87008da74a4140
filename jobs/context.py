"""What a handler may know of the job it runs: `current_job`."""

import logging
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from postroom.jobs.origins import Origins
from postroom.jobs.progress import Progress


def _nobody(run: "Run", progress: Progress) -> None:
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
    def log(self) -> logging.Logger:
        """A logger whose records name the job where `--log-json` is on."""
        return logging.getLogger("postroom.job")


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

    def __bool__(self) -> bool:
        """True inside a handler."""
        return current.get(None) is not None


def _run(name: str) -> Run:
    run = current.get(None)
    if run is None:
        raise RuntimeError(f"current_job.{name}: no job runs here; current_job is for the inside of a handler")
    return run


current_job = CurrentJob()
