"""Observers: who is told when jobs are handed over, run and fail: Sentry, traces, metrics.

They stand beside the work, never in its way: what one of them raises is logged and goes no further, and where there are
none nothing is computed for them.
"""

import functools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Any

import msgspec

from postroom.jobs.failure import Cause, Failure
from postroom.jobs.secrets import Veil

log = logging.getLogger("postroom.observers")


@dataclass(frozen=True, slots=True)
class Publication:
    """Jobs of one task on their way to a queue, in one call of the server."""

    task: str
    queue: str
    ids: Sequence[str]
    size: int
    """Bytes of their encoded calls."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of one job."""

    id: str
    queue: str
    task: str
    attempt: int
    """1 for the first."""
    size: int
    """Bytes of the encoded call."""
    enqueued: float | None
    """When it was last put on its queue, seconds since the epoch."""
    headers: Mapping[str, str]
    """What the producer's observers sent along."""
    worker: str
    veil: Callable[[], Veil]
    """Makes what hides the secrets of its call; to be called only where something is told."""


@dataclass(frozen=True, slots=True)
class Report:
    """An execution that failed, or a job that cannot be run. The texts of `failure` are without secrets."""

    execution: Execution
    failure: Failure
    error: BaseException | None
    """As the handler raised it, secrets and all; None where no handler did: its process died, or it cannot be run."""
    cause: Cause | None
    """Why the job is a dead letter; None where it will be tried again."""


FLUSH = 2.0
"""Seconds that an observer may take to send what is unsent."""


class Observer:
    """Override what is of interest. Called by any thread; coroutine jobs call it in their event loop: be quick."""

    def publishing(self, publication: Publication) -> AbstractContextManager[Mapping[str, str]]:
        """Around the call of the server; gives headers for the workers' observers, stored with the jobs."""
        return nullcontext({})

    def processing(self, execution: Execution) -> AbstractContextManager[object]:
        """Around the handler, in the job's own context (contextvars)."""
        return nullcontext()

    def failed(self, report: Report) -> None:
        """An execution failed: within `processing` where its handler raised, else without."""

    def flush(self, seconds: float) -> None:
        """The process ends: send what is unsent, within this time."""


everywhere: list[Observer] = []
"""Observers of all apps of this process."""


class Observers:
    """The observers of one app, and those of all. False where there are none."""

    def __init__(self) -> None:
        self._own: list[Observer] = []

    def __bool__(self) -> bool:
        return bool(self._own or everywhere)

    def __iter__(self) -> Iterator[Observer]:
        return iter((*everywhere, *self._own))

    def add(self, observer: Observer) -> None:
        """Tell this one, too."""
        self._own.append(observer)

    @contextmanager
    def publishing(self, publication: Publication) -> Iterator[dict[str, str]]:
        """Around the call of the server; gives all headers."""
        headers: dict[str, str] = {}
        with ExitStack() as stack:
            for observer in self:
                headers.update(stack.enter_context(_Guard(observer.publishing, publication)) or {})
            yield headers

    def processing(self, execution: Execution) -> AbstractContextManager[object]:
        """Around the handler."""
        observers = (*everywhere, *self._own)
        if len(observers) == 1:  # as usual: this runs for each job
            return _Guard(observers[0].processing, execution)
        stack = ExitStack()
        for observer in observers:
            stack.enter_context(_Guard(observer.processing, execution))
        return stack

    def failed(self, report: Report) -> None:
        """An execution failed."""
        for observer in self:
            _guarded(observer.failed, report)

    def flush(self, seconds: float) -> None:
        """The process ends. `seconds`: for each."""
        for observer in self:
            _guarded(observer.flush, seconds)


@functools.lru_cache(maxsize=64)  # jobs that were enqueued together have the same
def read_headers(text: bytes) -> Mapping[str, str]:
    """What the producer's observers sent along; nothing where that cannot be read."""
    try:
        return MappingProxyType(msgspec.json.decode(text, type=dict[str, str]))
    except msgspec.MsgspecError:
        return MappingProxyType({})


class _Guard(AbstractContextManager[Any]):
    """A context manager that raises nothing of its own, made by `make(told)`."""

    def __init__(self, make: Callable[[Any], AbstractContextManager[Any]], told: object) -> None:
        self._make, self._told = make, told
        self._manager: AbstractContextManager[Any] | None = None

    def __enter__(self) -> Any:
        try:
            manager = self._make(self._told)
            entered = manager.__enter__()
        except Exception as error:
            _say(self._make, error)
            return None
        self._manager = manager
        return entered

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._manager is not None:
            try:
                self._manager.__exit__(kind, error, traceback)
            except Exception as other:
                _say(self._manager.__exit__, other)


def _guarded(call: Callable[..., Any], *args: Any) -> None:
    try:
        call(*args)
    except Exception as error:
        _say(call, error)


def _say(call: Callable[..., Any], error: Exception) -> None:
    # Without its text and its traceback: they may hold what the observer was told.
    log.warning("an observer failed in %s: %s", getattr(call, "__qualname__", call), type(error).__qualname__)
