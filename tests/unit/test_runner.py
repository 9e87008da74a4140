"""The runner: whatever a job does, an outcome comes back, and the thread it ran in is as it was."""

import asyncio
import contextlib
import contextvars
import functools
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from tenacity import stop_after_attempt, wait_fixed

from postroom import Discard, EncodeError, Postroom, Retry, RetryLater, Snooze, current_job
from postroom.jobs.codecs import encode_call
from postroom.jobs.failure import Failure, failures
from postroom.jobs.retry import DEFAULT
from postroom.workers.board import Board
from postroom.workers.calling import Calling
from postroom.workers.claimed import Claimed
from postroom.workers.outcome import Outcome
from postroom.workers.ready import Ready
from postroom.workers.rq_runner import RqRunner
from postroom.workers.runner import Runner
from postroom.workers.slots import Slot

Run = Callable[..., Outcome]


@pytest.fixture
def app(app_without_server: Callable[[], Postroom]) -> Postroom:
    return app_without_server()


@pytest.fixture
def run(app: Postroom) -> Iterator[Run]:
    """Run a function as a task, in this thread, with an alarm beside it."""
    slot, stop = Slot(Board(1), 0, 5.0), threading.Event()

    def ring() -> None:
        while not stop.wait(0.005):
            slot.ring()

    alarm = threading.Thread(target=ring)
    alarm.start()

    def run_one(function: Any, *args: Any, stored: dict[str, Any] | None = None, **declared: Any) -> Outcome:
        app.tasks.clear()
        app.task(name="t", **{"retry": None, **declared})(function)
        fields = {"data": encode_call("t", args, {}), "content_type": "json", **(stored or {})}
        runner = Runner(app, "host-1")
        ready = runner.read(claimed(**fields))
        return ready if isinstance(ready, Outcome) else Calling(runner, RqRunner(app, "host-1", runner))(ready, slot)

    yield run_one
    stop.set()
    alarm.join()


def claimed(**fields: Any) -> Claimed:
    plain: dict[str, Any] = {"attempts_made": 0, "first_started": None, "saved_by_rq": False, "deaths": 0}
    empty = dict.fromkeys(("data", "content_type", "timeout", "result_ttl", "created_at"))
    return Claimed(id="job-1", queue="mail", token=7, at=0.0, **{**empty, **plain, **fields})


def result(outcome: Outcome) -> Any:
    assert outcome.verb == "complete", outcome.args
    return outcome.args[2]


def reason(outcome: Outcome) -> str:
    assert outcome.verb == "bury", outcome.args
    return str(field(outcome, "p:reason"))


def field(outcome: Outcome, name: str) -> Any:
    """A field of the hash, as bury or retry writes it."""
    return dict(zip(outcome.args[6::2], outcome.args[7::2], strict=True)).get(name)


def test_a_result(run: Run) -> None:
    assert result(run(lambda a, b: a + b, 2, 3)) == b"5"
    assert result(run(lambda: None)) == b"null"


class Session:
    """What JSON cannot carry."""


def make_session() -> Session:
    return Session()


def test_a_result_that_nobody_wants_is_not_encoded(run: Run) -> None:
    outcome = run(make_session, result_ttl=0)
    assert (result(outcome), outcome.args[5]) == (b"", 0)
    assert run(lambda: 1, stored={"result_ttl": b"-1"}).args[5] == -1
    assert run(lambda: 1, result_ttl=60, stored={"result_ttl": b"5"}).args[5] == 5


def test_a_result_that_cannot_be_encoded(run: Run) -> None:
    assert "the result of type Session cannot be encoded as JSON" in reason(run(make_session))
    assert "the result has 2,000,002 bytes" in reason(run(lambda: "x" * 2_000_000))
    assert "NaN" in reason(run(lambda: [float("nan")]))


class Unspeakable(Exception):
    """An error whose text is an error."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def raising(error: BaseException) -> Callable[[], None]:
    def handler() -> None:
        raise error

    return handler


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("no"), "ValueError: no"),
        (ValueError(), "ValueError"),
        (ValueError("two\nlines"), "ValueError: two lines"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit(), "GeneratorExit"),
        (StopIteration(1), "StopIteration: 1"),
        (asyncio.CancelledError(), "CancelledError"),
        (MemoryError(), "MemoryError"),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
        (ExceptionGroup("both", [ValueError("a"), KeyError("b")]), "ExceptionGroup: both (2 sub-exceptions)"),
        (Unspeakable(), "Unspeakable: (its text cannot be told)"),
        (EncodeError("of a job that the handler itself enqueued"), "EncodeError: of a job"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_whatever_a_handler_raises_is_the_reason(error: BaseException, told: str, run: Run) -> None:
    outcome = run(raising(error))
    assert reason(outcome).startswith(told)
    assert "Traceback" in field(outcome, "exc_info")
    assert "in handler" in field(outcome, "exc_info")


def test_exits_and_endless_recursion(run: Run) -> None:
    def endless() -> None:
        endless()

    assert reason(run(lambda: sys.exit("enough"))) == "SystemExit: enough"
    assert reason(run(endless)).startswith("RecursionError")


def test_a_huge_error_is_bounded(run: Run) -> None:
    outcome = run(raising(ValueError("x" * 1_000_000)))
    assert len(reason(outcome)) <= 500
    assert len(field(outcome, "exc_info")) <= 20_000


def test_arguments_that_do_not_fit_the_function(run: Run) -> None:
    assert "missing 1 required positional argument" in reason(run(lambda a: a))


TWICE = Retry(stop=stop_after_attempt(2), wait=wait_fixed(5))


def test_a_retry_is_asked_for_until_the_policy_says_no(run: Run) -> None:
    before = time.time()
    first = run(raising(ValueError("no")), retry=TWICE)
    assert (first.verb, first.args[2]) == ("retry", 5.0)
    told = dict(zip(first.args[6::2], first.args[7::2], strict=True))
    assert told["p:attempt"] == 1
    assert before <= float(told["p:first"]) <= time.time()
    assert told["exc_info"].endswith("ValueError: no\n")
    assert reason(run(raising(ValueError("no")), retry=TWICE, stored={"attempts_made": 1})) == "ValueError: no"


def test_errors_inside_the_handlers_own_calls_are_retried_like_any_other(run: Run) -> None:
    assert run(raising(EncodeError("of a job that the handler enqueued")), retry=TWICE).verb == "retry"


def test_a_policy_that_fails_is_told_beside_the_handlers_error(run: Run) -> None:
    def broken(_: Any) -> float:
        raise LookupError("no such wait")

    outcome = run(raising(ValueError("no")), retry=Retry(wait=broken))
    assert reason(outcome) == "ValueError: no; and its retry policy raised LookupError: no such wait"
    assert "ValueError: no" in field(outcome, "exc_info")


def test_a_timeout_reaches_a_handler_that_swallows_exceptions(run: Run) -> None:
    def stubborn() -> None:
        while True:
            with contextlib.suppress(Exception):
                time.sleep(0.001)

    outcome = run(stubborn, timeout=0.05)
    assert reason(outcome) == "TimeoutError: the handler ran longer than its timeout of 0.05 s"
    assert "in stubborn" in field(outcome, "exc_info")


def test_a_timeout_is_retried_as_a_timeout_error(run: Run) -> None:
    assert run(lambda: time.sleep(0.2), timeout=0.05, retry=TWICE).verb == "retry"


def test_a_coroutine_that_waits_is_reached_by_its_timeout(run: Run) -> None:
    cleaned = []

    async def waits() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            cleaned.append(True)

    began = time.monotonic()
    assert reason(run(waits, timeout=0.05)).startswith("TimeoutError: the handler ran longer")
    assert time.monotonic() - began < 5
    assert cleaned


def test_a_coroutine_that_computes_is_reached_by_its_timeout(run: Run) -> None:
    async def computes() -> None:
        while True:
            pass

    assert reason(run(computes, timeout=0.05)).startswith("TimeoutError: the handler ran longer")


def test_a_coroutine_may_clean_up_when_its_time_is_over(run: Run) -> None:
    cleaned = []

    async def tidy() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.2)
            cleaned.append(True)

    assert reason(run(tidy, timeout=0.05)).startswith("TimeoutError: the handler ran longer")
    assert cleaned


def test_a_handlers_own_timeout_error_is_its_own(run: Run) -> None:
    async def impatient() -> None:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(5)

    assert reason(run(impatient, timeout=60)) == "TimeoutError"


def test_coroutines_also_behind_a_decorator(run: Run) -> None:
    async def add(a: int, b: int) -> int:
        await asyncio.sleep(0)
        return a + b

    @functools.wraps(add)
    def logged(*args: Any) -> Any:
        return add(*args)

    assert result(run(add, 2, 3)) == result(run(logged, 2, 3)) == b"5"


LEAK = contextvars.ContextVar("LEAK", default="clean")


def test_context_does_not_leak_between_jobs_nor_into_them(run: Run) -> None:
    def leave(text: str) -> str:
        before = LEAK.get()
        LEAK.set(text)
        return before

    LEAK.set("the worker's")
    assert result(run(leave, "first")) == b'"clean"'
    assert result(run(leave, "second")) == b'"clean"'
    assert LEAK.get() == "the worker's"


def test_current_job_in_functions_and_coroutines(run: Run) -> None:
    def fields() -> list[Any]:
        return [current_job.id, current_job.queue, current_job.task, current_job.attempt, current_job.fence]

    async def afields() -> list[Any]:
        return await asyncio.to_thread(fields)

    expected = b'["job-1","mail","t",3,7]'
    assert result(run(fields, stored={"attempts_made": 2})) == expected
    assert result(run(afields, stored={"attempts_made": 2})) == expected
    assert not current_job


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ({"data": None}, "the job's hash has no data"),
        ({"data": b"\x80\x04"}, "not JSON"),
        ({"data": b"{}"}, "not a call"),
        ({"data": encode_call("nosuch", [], {})}, "no task 'nosuch' in this app"),
        ({"content_type": "x-future"}, "p:type='x-future'"),
        ({"content_type": "foreign"}, "put aside as postroom:foreign:job-1"),
        ({"created_at": b"yesterday"}, "created_at='yesterday' is no date"),
        ({"created_at": b"\xff"}, "is no date"),
        ({"timeout": b"soon"}, "timeout=b'soon' is no number of seconds"),
        ({"timeout": b"nan"}, "timeout=b'nan'"),
        ({"timeout": b"1e300"}, "timeout=b'1e300'"),
        ({"result_ttl": b"day"}, "result_ttl=b'day' is no number of seconds"),
        ({"result_ttl": b"inf"}, "result_ttl=b'inf'"),
        ({"result_ttl": b"-7"}, "result_ttl=b'-7'"),
    ],
)
def test_a_hash_that_cannot_be_read_is_a_dead_letter_and_never_runs(
    stored: dict[str, Any], told: str, run: Run
) -> None:
    ran: list[bool] = []
    assert told in reason(run(lambda: ran.append(True), stored=stored))
    assert not ran


def test_an_unusable_date_is_replaced_and_a_usable_one_kept(run: Run) -> None:
    assert field(run(raising(ValueError()), stored={"created_at": b"\xff"}), "created_at").endswith("Z")
    kept = b"2026-11-23T08:00:00.000000Z"
    assert field(run(raising(ValueError()), stored={"created_at": kept}), "created_at") is None


# What is kept of a failure --------------------------------------------------------------------------------------------


def kept(outcome: Outcome) -> list[Failure]:
    """The failed executions in what the script is told."""
    return failures({b"p:failure:0": outcome.args[4]})


@pytest.mark.parametrize(
    ("error", "declared", "attempts", "cause"),
    [
        (ValueError("no"), {}, 0, "not-retryable"),
        (ConnectionError("no"), {}, 4, "exhausted"),
        (ConnectionError("no"), {"retry": None}, 0, "not-retryable"),
        (Discard("too old"), {"retry": Retry()}, 0, "discarded"),
        (RetryLater(1), {}, 4, "exhausted"),
        (SystemExit(3), {"retry": Retry()}, 0, "not-retryable"),
    ],
)
def test_what_stopped_it(error: BaseException, declared: dict[str, Any], attempts: int, cause: str, run: Run) -> None:
    outcome = run(raising(error), stored={"attempts_made": attempts}, **{"retry": DEFAULT, **declared})
    assert outcome.verb == "bury"
    assert (field(outcome, "p:cause"), field(outcome, "p:task")) == (cause, "t")


def test_an_unknown_task_and_a_broken_message_have_causes_of_their_own(run: Run) -> None:
    unknown = run(lambda: None, stored={"data": encode_call("nosuch", (), {})})
    assert (field(unknown, "p:cause"), field(unknown, "p:task")) == ("unknown-task", "nosuch")
    broken = run(lambda: None, stored={"data": b"{"})
    assert (field(broken, "p:cause"), field(broken, "p:task")) == ("undecodable", "")
    assert kept(broken)[0].fingerprint != kept(unknown)[0].fingerprint


def test_an_id_that_the_board_cannot_hold_is_told(app: Postroom) -> None:
    """Of RQ's producers: ours cannot give one."""
    found = Runner(app, "host-1").read(replace(claimed(), id="i" * 257))
    assert isinstance(found, Outcome)
    assert (found.verb, field(found, "p:cause")) == ("bury", "undecodable")
    assert "its id has 257 characters" in reason(found)
    assert isinstance(Runner(app, "host-1").read(replace(claimed(), id="i" * 256)), Ready)


def test_a_name_of_any_length_is_cut(run: Run) -> None:
    unknown = run(lambda: None, stored={"data": encode_call("n" * 10_000, (), {})})
    assert field(unknown, "p:task") == "n" * 500


def test_each_failed_execution_is_kept(run: Run) -> None:
    before = time.time()
    outcome = run(raising(OSError("full")), retry=Retry(), stored={"attempts_made": 1, "deaths": 1})
    (failure,) = kept(outcome)
    assert (outcome.verb, failure.attempt, failure.error) == ("retry", 2, "OSError: full")
    assert (failure.worker, failure.host, failure.death) == ("host-1", socket.gethostname(), None)
    assert before <= failure.started <= failure.ended <= time.time()
    assert "in handler" in failure.traceback


def test_a_job_snoozes_without_an_attempt_and_asks_for_another_time(run: Run) -> None:
    asleep = run(raising(Snooze(30)), stored={"attempts_made": 2})
    assert (asleep.verb, asleep.args[2:]) == ("retry", [30.0, "back", b"", 0])
    later = run(raising(RetryLater(7)))
    assert (later.verb, later.args[2], field(later, "p:attempt")) == ("retry", 7.0, 1)
