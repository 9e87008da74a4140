"""The retry policy: tenacity's own strategies, evaluated across executions instead of inside one.

tenacity asks a strategy with a `RetryCallState`; here that state is rebuilt from what the job's hash keeps, so that
`stop_after_attempt`, `wait_exponential_jitter` and `retry_if_exception_type` mean what tenacity's documentation says.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tenacity import (
    RetryCallState,
    Retrying,
    TryAgain,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from postroom.jobs.errors import ConfigError

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

    def delay(self, attempt: int, first_started: float, error: BaseException) -> float | None:
        """Seconds to wait after attempt number `attempt` (1 is the first) failed with `error`; None: try no more.

        Args:
            attempt: how many attempts were made, this one included.
            first_started: when the first one began, seconds since the epoch.
            error: what the handler raised.
        """
        state = RetryCallState(Retrying(), None, (), {})
        state.attempt_number = attempt
        state.start_time = time.monotonic() - (time.time() - first_started)
        state.set_exception((type(error), error, error.__traceback__))
        if not isinstance(error, TryAgain) and not self.retry(state):
            return None
        state.upcoming_sleep = float(self.wait(state))
        if self.stop(state):
            return None
        return max(0.0, state.upcoming_sleep)
