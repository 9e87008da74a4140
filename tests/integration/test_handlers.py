"""Handlers in a real worker: what they return, raise and outlast, and what their neighbours notice: nothing."""

import asyncio
import contextlib
import contextvars
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tenacity import (
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_fixed,
    wait_none,
)

from postroom import JobFailed, Postroom, Retry, current_job
from tests.integration.programs import burst, until, working
from tests.servers import Server


@pytest.fixture
def producer(server: Server) -> Iterator[Postroom]:
    """An app that does not know the tasks: the worker's own timeouts hold, also those of less than a second."""
    made = Postroom(server.url)
    yield made
    made.broker.close()


def reason(app: Postroom, job_id: str) -> str:
    with pytest.raises(JobFailed) as raised:
        app.job(job_id).result(20)
    return raised.value.reason


def test_retried_until_it_succeeds(app: Postroom, client: Any) -> None:
    attempts: list[Any] = []

    @app.task(name="flaky", retry=Retry(stop=stop_after_attempt(5), wait=wait_fixed(0.05)))
    def flaky() -> str:
        attempts.append((current_job.attempt, current_job.fence, current_job.idempotency_key))
        if len(attempts) < 3:
            raise ConnectionError("not yet")
        return "done"

    with working(app):
        job = flaky.enqueue()
        assert job.result(20) == "done"
    assert [attempt for attempt, _, _ in attempts] == [1, 2, 3]
    fences = [fence for _, fence, _ in attempts]
    assert fences == sorted(set(fences)), "each execution has a higher fence"
    assert {key for _, _, key in attempts} == {job.id}
    assert client.hget(f"rq:job:{job.id}", "p:redelivered") is None


def test_retried_until_it_is_a_dead_letter(app: Postroom, client: Any) -> None:
    @app.task(name="broken", retry=Retry(stop=stop_after_attempt(3), wait=wait_none()))
    def broken() -> None:
        raise ValueError(f"attempt {current_job.attempt}")

    with working(app):
        job = broken.enqueue()
        assert reason(app, job.id) == "ValueError: attempt 3"
    assert client.hget(f"rq:job:{job.id}", "p:attempt") == b"3"
    assert client.zcard("rq:failed:default") == 1


def test_a_retry_that_waits_holds_no_thread_and_is_seen(app: Postroom, client: Any) -> None:
    @app.task(name="broken", retry=Retry(wait=wait_fixed(60)))
    def broken() -> None:
        raise ValueError("no")

    job = broken.enqueue()
    burst(app, concurrency=1)
    assert job.status() == "scheduled"
    assert client.zscore("rq:scheduled:default", job.id) == pytest.approx(client.time()[0] + 60, abs=3)
    assert client.hget(f"rq:job:{job.id}", "exc_info").endswith(b"ValueError: no\n")


def test_only_the_errors_that_the_policy_names_are_retried(app: Postroom) -> None:
    seen: list[int] = []

    @app.task(name="picky", retry=Retry(wait=wait_none(), retry=retry_if_exception_type(OSError)))
    def picky() -> None:
        seen.append(1)
        raise OSError("again") if len(seen) < 3 else KeyError("enough")

    with working(app):
        assert reason(app, picky.enqueue().id) == "KeyError: 'enough'"
    assert len(seen) == 3


def test_stop_after_delay_counts_over_all_executions(app: Postroom) -> None:
    began = time.monotonic()

    @app.task(name="late", retry=Retry(stop=stop_after_delay(0.5), wait=wait_fixed(0.1)))
    def late() -> None:
        raise ValueError("no")

    with working(app):
        assert reason(app, late.enqueue().id) == "ValueError: no"
    assert 0.5 <= time.monotonic() - began < 10


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), MemoryError(), GeneratorExit(), OSError(28, "full")]
)
def test_no_exception_ends_a_thread_or_the_worker(error: BaseException, app: Postroom) -> None:
    @app.task(name="bad", retry=None)
    def bad() -> None:
        raise error

    @app.task(name="good")
    def good() -> list[str]:
        return [thread.name for thread in threading.enumerate()]

    with working(app, concurrency=1):
        bad_jobs = [bad.enqueue() for _ in range(3)]
        assert {"postroom-0", "postroom-1"} <= set(good.enqueue().result(20))
        assert {reason(app, job.id).split(":")[0] for job in bad_jobs} == {type(error).__name__}


def test_exits_and_texts_that_are_no_texts(app: Postroom) -> None:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    @app.task(name="bad", retry=None)
    def bad(how: str) -> None:
        if how == "exit":
            sys.exit("enough")
        raise Unspeakable if how == "unspeakable" else FileNotFoundError(2, "no such file", "name-\udcff")

    with working(app, concurrency=1):
        jobs = [bad.enqueue(how) for how in ("exit", "unspeakable", "surrogate")]
        assert reason(app, jobs[0].id) == "SystemExit: enough"
        assert reason(app, jobs[1].id).startswith("Unspeakable")
        assert "name-" in reason(app, jobs[2].id)


def test_results_that_cannot_be_kept(app: Postroom) -> None:
    @app.task(name="bad")
    def bad(how: str) -> Any:
        return {"type": object(), "size": "x" * 2_000_000, "nan": [float("nan")], "text": "\udcff"}[how]

    with working(app):
        told = {how: reason(app, bad.enqueue(how).id) for how in ("type", "size", "nan", "text")}
    assert "the result of type object cannot be encoded as JSON" in told["type"]
    assert "the result has 2,000,002 bytes, the limit is 1,000,000" in told["size"]
    assert "result[0] is NaN" in told["nan"]
    assert "surrogates not allowed" in told["text"]


LEAK = contextvars.ContextVar("LEAK", default="clean")


def test_contexts_do_not_leak_between_the_jobs_of_a_thread(app: Postroom) -> None:
    @app.task(name="leave")
    def leave(text: str) -> list[Any]:
        before = LEAK.get()
        LEAK.set(text)
        return [before, current_job.id, threading.current_thread().name]

    jobs = [leave.enqueue(str(number)) for number in range(20)]
    burst(app, concurrency=1)
    told = [job.result(0) for job in jobs]
    assert [one[:2] for one in told] == [["clean", job.id] for job in jobs]
    assert len({thread for *_, thread in told}) <= 2


def test_coroutines_run_and_time_out(app: Postroom, producer: Postroom) -> None:
    @app.task(name="sleep", timeout=0.2)
    async def sleep(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return str(current_job.id)

    with working(app):
        short, long = sleep.enqueue(0.01), producer.enqueue("sleep", 60)
        assert short.result(20) == short.id
        assert reason(app, long.id) == "TimeoutError: the handler ran longer than its timeout of 0.2 s"


# Timeouts in threads --------------------------------------------------------------------------------------------------


def nap(seconds: float) -> None:
    """Sleep in slices, as an exception reaches a thread between two of them."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.002)


def test_a_timeout_reaches_who_swallows_exceptions_and_spares_the_neighbours(app: Postroom, producer: Postroom) -> None:
    @app.task(name="stubborn", timeout=0.2)
    def stubborn() -> None:
        while True:
            with contextlib.suppress(Exception):
                nap(1)

    @app.task(name="neighbour", timeout=20)
    def neighbour(seconds: float) -> str:
        nap(seconds)
        return threading.current_thread().name

    with working(app, concurrency=2):
        bad, beside = producer.enqueue("stubborn"), neighbour.enqueue(1.0)
        assert reason(app, bad.id) == "TimeoutError: the handler ran longer than its timeout of 0.2 s"
        after = [neighbour.enqueue(0.3) for _ in range(2)]
        assert beside.result(20)
        assert {job.result(20) for job in after} <= {"postroom-0", "postroom-1", "postroom-2"}


def test_a_timeout_can_be_retried_as_timeout_error(app: Postroom, producer: Postroom) -> None:
    policy = Retry(stop=stop_after_attempt(2), wait=wait_none(), retry=retry_if_exception_type(TimeoutError))

    @app.task(name="slow", timeout=0.1, retry=policy)
    def slow() -> int:
        if current_job.attempt == 1:
            nap(5)
        return int(str(current_job.attempt))

    with working(app):
        assert producer.enqueue("slow").result(20) == 2


def test_the_calls_timeout_wins_over_the_tasks(app: Postroom, producer: Postroom) -> None:
    @app.task(name="slow", timeout=0.1)
    def slow(seconds: float) -> str:
        nap(seconds)
        return "done"

    with working(app):
        assert slow.using(timeout=30).enqueue(0.4).result(20) == "done"
        assert "timeout of 0.1 s" in reason(app, producer.enqueue("slow", 5).id)
        assert "timeout of 1 s" in reason(app, slow.enqueue(5).id), "RQ's field takes whole seconds: rounded up"


def test_jobs_that_end_just_at_their_timeout_hurt_nobody(app: Postroom, producer: Postroom, client: Any) -> None:
    """No stray JobTimeout reaches the thread, the job after, or the worker."""
    threads, count = 8, 400
    together = threading.Barrier(threads)

    @app.task(name="edge", timeout=0.02)
    def edge(seconds: float) -> None:
        nap(seconds)

    @app.task(name="calm", timeout=20)
    def calm() -> int:
        return sum(range(2000))

    @app.task(name="meet", timeout=20)
    def meet() -> str:
        together.wait(20)
        return threading.current_thread().name

    with working(app, concurrency=threads):
        edges, calms = [], []
        for number in range(count):
            edges.append(producer.enqueue("edge", 0.01 + 0.07 * (number % 20) / 20))
            calms.append(calm.enqueue())
        assert {job.result(60) for job in calms} == {sum(range(2000))}
        until(lambda: all(job.status() in {"finished", "failed"} for job in edges), 60)
        met = [meet.enqueue() for _ in range(threads)]
        assert len({job.result(20) for job in met}) == threads, "every thread is there"
    ends = [job.status() for job in edges]
    assert 0 < ends.count("failed") < count
    for job in edges:
        if job.status() == "failed":
            assert reason(app, job.id).startswith("TimeoutError")
    assert client.zcard("rq:wip:default") == 0
