"""The retry policy means what tenacity's documentation says, though each attempt is an execution of its own."""

import random
import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import tenacity
from tenacity import (
    RetryCallState,
    TryAgain,
    retry_if_exception,
    retry_if_exception_message,
    retry_if_exception_type,
    retry_if_not_exception_type,
    stop_after_attempt,
    stop_after_delay,
    stop_before_delay,
    stop_never,
    wait_chain,
    wait_exponential,
    wait_exponential_jitter,
    wait_fixed,
    wait_incrementing,
    wait_none,
)

from postroom import ConfigError, Postroom, Retry, RetryLater, Snooze
from postroom.jobs.failure import Cause
from postroom.jobs.retry import DEFAULT, NEVER, is_transient

ERROR = ValueError("no")


def delays(policy: Retry, error: BaseException = ERROR, most: int = 20) -> list[float]:
    """The waits of a handler that fails at once, every time, as the policy sees them across executions."""
    waited: list[float] = []
    while len(waited) < most:
        delay = policy.decide(len(waited) + 1, time.time() - sum(waited), error)
        if isinstance(delay, Cause):
            break
        waited.append(delay)
    return waited


def tenacitys(policy: Retry, error: BaseException = ERROR, most: int = 20) -> list[float]:
    """The waits of the same handler under tenacity itself, whose clock goes on only while it sleeps."""
    waited: list[float] = []

    class Enough(BaseException):
        pass

    def sleep(seconds: float) -> None:
        if len(waited) == most:
            raise Enough
        waited.append(seconds)

    def stop(state: RetryCallState) -> Any:
        state.start_time = time.monotonic() - sum(waited)
        state.outcome_timestamp = time.monotonic()
        return policy.stop(state)

    def fail() -> None:
        raise error

    try:
        tenacity.Retrying(stop=stop, wait=policy.wait, retry=policy.retry, sleep=sleep)(fail)
    except (tenacity.RetryError, Enough, type(error)):
        pass
    return waited


ANY = retry_if_exception_type(Exception)


@pytest.mark.parametrize(
    "policy",
    [
        Retry(stop=stop_after_attempt(1), wait=wait_fixed(1)),
        Retry(stop=stop_after_attempt(4), wait=wait_fixed(2)),
        Retry(stop=stop_never, wait=wait_none()),
        Retry(stop=stop_after_delay(10), wait=wait_fixed(3)),
        Retry(stop=stop_before_delay(10), wait=wait_fixed(3)),
        Retry(stop=stop_after_delay(20) | stop_after_attempt(3), wait=wait_incrementing(1, 5)),
        Retry(stop=stop_after_attempt(6), wait=wait_exponential(multiplier=0.5, max=4)),
        Retry(stop=stop_after_attempt(6), wait=wait_fixed(1) + wait_exponential(max=60)),
        Retry(stop=stop_after_attempt(6), wait=wait_chain(*[wait_fixed(n) for n in (1, 5, 9)])),
        Retry(stop=stop_after_attempt(6), wait=wait_fixed(1), retry=retry_if_exception_type(OSError)),
        Retry(stop=stop_after_attempt(6), wait=wait_fixed(1), retry=retry_if_not_exception_type(OSError)),
        Retry(stop=stop_after_attempt(3), wait=wait_fixed(1), retry=retry_if_exception(lambda e: str(e) == "no")),
        Retry(stop=stop_after_attempt(3), wait=wait_fixed(1), retry=ANY & retry_if_exception_message(match="yes")),
    ],
)
def test_the_same_waits_as_tenacity(policy: Retry) -> None:
    assert delays(policy) == pytest.approx(tenacitys(policy))


def test_jitter_is_tenacitys() -> None:
    policy = Retry(stop=stop_after_attempt(8), wait=wait_exponential_jitter(multiplier=2, max=30))
    random.seed(7)
    ours = delays(policy)
    random.seed(7)
    assert ours == tenacitys(policy)
    assert len(ours) == 7
    assert max(ours) <= 30


def test_the_default_is_five_attempts_with_growing_waits_for_every_exception() -> None:
    waits = delays(Retry())
    assert len(waits) == 4
    assert all(2**n <= wait <= 2**n + 1 for n, wait in enumerate(waits))
    assert Retry().decide(1, time.time(), SystemExit(1)) == Cause.NOT_RETRYABLE
    assert Retry().decide(1, time.time(), KeyboardInterrupt()) == Cause.NOT_RETRYABLE


def test_stop_after_delay_counts_from_the_first_attempt_of_all() -> None:
    policy = Retry(stop=stop_after_delay(60), wait=wait_fixed(1))
    assert policy.decide(2, time.time() - 59, ERROR) == 1
    assert policy.decide(2, time.time() - 61, ERROR) == Cause.EXHAUSTED


def test_try_again_is_tried_again_whatever_the_policy_says_of_errors() -> None:
    policy = Retry(stop=stop_after_attempt(3), wait=wait_fixed(1), retry=retry_if_exception_type(OSError))
    assert delays(policy, TryAgain()) == tenacitys(policy, TryAgain()) == [1, 1]


def test_a_strategy_sees_the_error_and_the_attempt() -> None:
    seen: list[Any] = []

    def wait(state: RetryCallState) -> float:
        assert state.outcome is not None
        seen.append((state.attempt_number, state.outcome.exception()))
        return -3.0

    assert Retry(stop=stop_never, wait=wait).decide(7, time.time(), ERROR) == 0.0, "no wait is less than none"
    assert seen == [(7, ERROR)]


@pytest.mark.parametrize("name", ["stop", "wait", "retry"])
@pytest.mark.parametrize("value", [5, "often", stop_after_attempt], ids=str)
def test_what_is_no_strategy_is_named_at_declaration(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"Retry.{name}="):
        Retry(**{name: value})


def test_a_task_takes_a_retry_only(app_without_server: Callable[[], Postroom]) -> None:
    app = app_without_server()
    with pytest.raises(ConfigError, match=r"retry=3: give a postroom\.Retry"):
        app.task(retry=3)(print_receipt)  # type: ignore[call-overload]


def print_receipt() -> None:
    """A task."""


@pytest.mark.parametrize(
    "error", [TypeError(), ValueError(), KeyError(), NameError(), AssertionError(), ZeroDivisionError(), SystemExit()]
)
def test_by_default_errors_of_the_program_are_not_retried(error: BaseException) -> None:
    assert DEFAULT.decide(1, time.time(), error) == Cause.NOT_RETRYABLE


@pytest.mark.parametrize("error", [ConnectionError(), TimeoutError(), RuntimeError(), OSError(), Exception()])
def test_by_default_others_are_attempted_five_times(error: BaseException) -> None:
    waits = delays(DEFAULT, error)
    assert [round(wait / 4**n) for n, wait in enumerate(waits)][2:] == [1, 1]
    assert len(waits) == 4
    assert DEFAULT.decide(5, time.time(), error) == Cause.EXHAUSTED


def test_retry_none_retries_nothing_but_what_the_handler_asks_for() -> None:
    assert NEVER.decide(1, time.time(), ConnectionError()) == Cause.NOT_RETRYABLE
    assert NEVER.decide(1, time.time(), RetryLater(7)) == 7
    assert NEVER.decide(5, time.time(), RetryLater(7)) == Cause.EXHAUSTED


def test_retry_later_takes_the_place_of_the_wait_and_is_stopped_by_the_stop() -> None:
    policy = Retry(stop=stop_after_attempt(3), wait=wait_fixed(1), retry=retry_if_exception_type(OSError))
    assert delays(policy, RetryLater(timedelta(minutes=1))) == [60, 60]


@pytest.mark.parametrize("delay", [-1, "soon", None, True, float("nan"), 1e12])
def test_an_impossible_delay_is_named(delay: Any) -> None:
    with pytest.raises(ConfigError, match=re.escape(repr(delay))):
        RetryLater(delay)


@pytest.mark.parametrize("kind", [Snooze, RetryLater])
def test_without_a_delay_it_says_what_to_write(kind: type[Exception]) -> None:
    with pytest.raises(ConfigError) as raised:
        raise kind
    name = kind.__name__
    assert str(raised.value) == f"raise {name} says no delay: write raise {name}(60), in seconds or a timedelta"
    assert not is_transient(raised.value), "to try again would not help"


def test_a_wait_that_is_no_number_is_told() -> None:
    with pytest.raises(ValueError, match="gave nan"):
        Retry(wait=lambda _: float("nan")).decide(1, time.time(), ConnectionError())
