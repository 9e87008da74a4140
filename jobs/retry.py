"""The retry policy: tenacity's own strategies, evaluated across executions instead of inside one.

tenacity asks a strategy with a `RetryCallState`; here that state is rebuilt from what the job's hash keeps, so that
`stop_after_attempt`, `wait_exponential_jitter` and `retry_if_exception_type` mean what tenacity's documentation says.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tenacity import (
    RetryCallState,
    Retrying,
    TryAgain,
    retry_if_exception,
    retry_if_exception_type,
    retry_never,
    stop_after_attempt,
    wait_exponential_jitter,
)

from postroom.jobs.errors import ConfigError
from postroom.jobs.failure import Cause
from postroom.jobs.times import MOST


class Discard(Exception):
    """Raised by a handler: this job is a dead letter at once, whatever its retry policy says.

    Args:
        reason: shown to whoever looks at the dead letter.
    """

    def __init__(self, reason: str = "discarded by its handler") -> None:
        super().__init__(reason)


_UNSAID: Any = object()


class _Later(Exception):
    def __init__(self, delay: float | timedelta = _UNSAID) -> None:
        name = type(self).__name__
        if delay is _UNSAID:
            # `raise Snooze`: Python's own complaint would name this class, which nobody wrote.
            raise ConfigError(f"raise {name} says no delay: write raise {name}(60), in seconds or a timedelta")
        seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MOST:
            raise ConfigError(f"{name}({delay!r}): give seconds or a timedelta, from 0 to {MOST:,}")
        super().__init__(f"in {seconds:g} s")
        self.delay = float(seconds)
        """Seconds."""


class RetryLater(_Later):
    """Raised by a handler: this attempt failed, try again in `delay` (seconds or timedelta) instead of when the policy
    says. It counts as an attempt: where the policy's `stop` allows no more, the job is a dead letter.
    """


class Snooze(_Later):
    """Raised by a handler: not now; run the job again in `delay` (seconds or timedelta). No attempt is counted."""


Strategy = Callable[[RetryCallState], Any]


@dataclass(frozen=True, slots=True)
class Retry:
    """When a failed attempt is tried again: `stop` ends it, `wait` gives the seconds between, `retry` picks the errors.

    `Retry()` is five attempts in all with exponential, jittered waits of 1 s to 10 min, for every `Exception`.
    """

    stop: Strategy = field(default_factory=lambda: stop_after_attempt(5))
    wait: Strategy = field(default_factory=lambda: wait_exponential_jitter(max=600))
    retry: Strategy = field(default_factory=lambda: retry_if_exception_type(Exception))

    def __post_init__(self) -> None:
        for name in ("stop", "wait", "retry"):
            strategy = getattr(self, name)
            if not callable(strategy) or isinstance(strategy, type):
                raise ConfigError(f"Retry.{name}={strategy!r}: give one of tenacity's strategies, {name}_…(…)")

    def decide(self, attempt: int, first_started: float, error: BaseException) -> float | Cause:
        """Seconds to wait after attempt number `attempt` (1 is the first) failed with `error`, or why it is the last.

        Args:
            attempt: how many attempts were made, this one included.
            first_started: when the first one began, seconds since the epoch.
            error: what the handler raised.
        """
        state = RetryCallState(Retrying(), None, (), {})
        state.attempt_number = attempt
        state.start_time = time.monotonic() - (time.time() - first_started)
        state.set_exception((type(error), error, error.__traceback__))
        asked = isinstance(error, TryAgain | RetryLater)
        if not asked and not self.retry(state):
            return Cause.NOT_RETRYABLE
        state.upcoming_sleep = error.delay if isinstance(error, RetryLater) else float(self.wait(state))
        if math.isnan(state.upcoming_sleep):
            raise ValueError(f"wait={self.wait!r} gave nan: it must give seconds")
        if self.stop(state):
            return Cause.EXHAUSTED
        return max(0.0, state.upcoming_sleep)


PERMANENT: tuple[type[BaseException], ...] = (
    *(TypeError, ValueError, LookupError, AttributeError, NameError, ImportError, SyntaxError, AssertionError),
    *(NotImplementedError, ArithmeticError, RecursionError, MemoryError, BufferError, StopIteration, SystemError),
)
"""Errors of the program or of its data: they come back however often one tries."""


def is_transient(error: BaseException) -> bool:
    """May the same call succeed later? An `Exception` that is none of PERMANENT."""
    return isinstance(error, Exception) and not isinstance(error, PERMANENT)


DEFAULT = Retry(
    wait=wait_exponential_jitter(initial=1, exp_base=4, max=300),
    retry=retry_if_exception(is_transient),
)
"""Of a task that does not say: five attempts, about 1, 4, 16 and 64 s apart, where the error may pass by itself."""
NEVER = Retry(retry=retry_never)
"""Of `retry=None`: no error is tried again, unless the handler asks for it by RetryLater."""
