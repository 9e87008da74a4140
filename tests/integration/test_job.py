"""The handle of a job: where it stands, what came of it, and how it is stopped; alone, and by many at once."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from postroom import JobCanceled, JobFailed, Postroom, ResultExpired, ResultTimeout
from postroom.jobs.errors import ResultError
from tests.integration.programs import burst, until, working


@pytest.fixture
def tasks(app: Postroom, client: Any) -> Postroom:
    """An app with tasks that return and raise; nobody listens yet."""
    # Whoever listened for the test before ends when it hears something.
    until(lambda: (client.publish("postroom:events", "{}"), client.client_list(_type="pubsub"))[1] == [])

    @app.task(name="double", queue="q")
    def double(number: int) -> int:
        return 2 * number

    @app.task(name="fail", queue="q")
    def fail(text: str) -> None:
        raise ValueError(text)

    return app


def test_a_job_from_enqueue_to_its_result(tasks: Postroom) -> None:
    job = tasks.enqueue("double", 21)
    assert (job.status(), asyncio.run(job.astatus())) == ("queued", "queued")
    burst(tasks)
    assert (job.status(), asyncio.run(job.astatus())) == ("finished", "finished")
    assert job.result() == job.result(0) == asyncio.run(job.aresult()) == 42
    assert tasks.job(job.id) == job
    assert tasks.job(job.id).result(0) == 42
    assert repr(job) == f"Job({job.id!r})"


@pytest.mark.parametrize(
    "value", [None, False, 0, "", [], {}, "null", [None], 2**70, 1.5, {"a": [1, {"b": None}]}, "ö\u2028\x00"]
)
def test_every_json_value_is_a_result(value: Any, app: Postroom) -> None:
    @app.task(name="echo")
    def echo(value: Any) -> Any:
        return value

    job = echo.enqueue(value)
    burst(app)
    assert job.result(0) == value
    assert type(job.result(0)) is type(value)


def test_a_result_that_does_not_come_in_time(tasks: Postroom) -> None:
    job = tasks.enqueue("double", 1)
    for timeout in (0, 0.2):
        began = time.monotonic()
        with pytest.raises(ResultTimeout, match=f"{job.id} has not ended within {timeout} s: it is queued"):
            job.result(timeout)
        assert timeout <= time.monotonic() - began < timeout + 1
        with pytest.raises(TimeoutError, match="it is queued"):
            asyncio.run(job.aresult(timeout))


def test_a_dead_letter_tells_its_reason_and_traceback(tasks: Postroom) -> None:
    job = tasks.enqueue("fail", "no such ordér")
    burst(tasks)
    with pytest.raises(JobFailed, match=f"job {job.id} failed: ValueError: no such ordér") as raised:
        job.result(0)
    assert raised.value.reason == "ValueError: no such ordér"
    assert raised.value.traceback.startswith("Traceback (most recent call last):")
    assert "in fail" in raised.value.traceback
    with pytest.raises(JobFailed, match="no such ordér"):
        asyncio.run(job.aresult(0))
    assert job.status() == "failed"


def test_a_job_that_never_was_and_one_that_is_no_longer(tasks: Postroom, client: Any) -> None:
    with pytest.raises(ResultExpired, match="is not on the server"):
        tasks.job("nothing").result()
    assert tasks.job("nothing").status() is None
    job = tasks.using("double", result_ttl=0).enqueue(1)
    burst(tasks)
    with pytest.raises(ResultExpired):
        job.result(5)
    with pytest.raises(LookupError):
        asyncio.run(job.aresult(5))
    assert client.zcard("rq:finished:q") == 0


def test_a_result_for_ever_and_for_a_while(tasks: Postroom, client: Any) -> None:
    ever, while_ = tasks.using("double", result_ttl=-1).enqueue(1), tasks.using("double", result_ttl=100).enqueue(1)
    default = tasks.enqueue("double", 1)
    burst(tasks)
    assert client.ttl(f"rq:job:{ever.id}") == -1
    assert 90 < client.ttl(f"rq:job:{while_.id}") <= 100
    assert 490 < client.ttl(f"rq:job:{default.id}") <= 500
    assert client.zscore("rq:finished:q", ever.id) == float("inf")


def test_a_canceled_job_does_not_run(tasks: Postroom, client: Any) -> None:
    job, later = tasks.enqueue("fail", "ran"), tasks.using("fail", delay=0.01).enqueue("ran")
    assert job.cancel()
    assert asyncio.run(later.acancel())
    assert job.cancel(), "it stays canceled"
    assert not asyncio.run(tasks.job("nothing").acancel())
    time.sleep(0.02)
    with working(tasks):
        assert tasks.enqueue("double", 1).result(10) == 2
    for one in (job, later):
        assert one.status() == "canceled"
        with pytest.raises(JobCanceled, match=one.id):
            one.result()
        with pytest.raises(JobCanceled):
            asyncio.run(one.aresult())
    assert client.llen("rq:queue:q") == 0
    assert client.zcard("rq:canceled:q") == 2


def test_a_running_job_that_is_canceled_is_not_accepted(app: Postroom) -> None:
    going, go_on = threading.Event(), threading.Event()

    @app.task(name="wait")
    def wait() -> str:
        going.set()
        go_on.wait(10)
        return "done"

    with working(app):
        job = wait.enqueue()
        assert going.wait(10)
        assert job.cancel()
        with pytest.raises(JobCanceled):
            job.result(10)
        go_on.set()
    assert job.status() == "canceled"


def test_a_job_that_has_ended_cannot_be_canceled(tasks: Postroom) -> None:
    jobs = [tasks.enqueue("double", 1), tasks.enqueue("fail", "no")]
    burst(tasks)
    assert [job.cancel() for job in jobs] == [False, False]
    assert [job.status() for job in jobs] == ["finished", "failed"]


def test_a_deleted_job_is_forgotten_wherever_it_stood(tasks: Postroom, client: Any) -> None:
    ended = [tasks.enqueue("double", 1), tasks.enqueue("fail", "no")]
    burst(tasks)
    waiting = [tasks.enqueue("fail", "no"), tasks.using("double", delay=60).enqueue(1)]
    assert all(job.delete() for job in ended)
    assert all(asyncio.run(job.adelete()) for job in waiting)
    assert not any(job.delete() for job in ended)
    burst(tasks)
    passing = (b"postroom:gone:", b"postroom:tasks:", b"postroom:came:")
    left = {key.decode() for key in client.scan_iter() if not key.startswith(passing)}
    assert left <= {"rq:queues", "postroom:token", "postroom:swept", "postroom:dead"}
    assert [job.status() for job in ended + waiting] == [None] * 4


def test_fifty_threads_and_two_hundred_coroutines_wait_at_once(tasks: Postroom, client: Any) -> None:
    jobs = [tasks.enqueue("double", number) for number in range(50)]

    async def wait_all() -> list[Any]:
        return await asyncio.gather(*(job.aresult(20) for job in jobs for _ in range(4)))

    with ThreadPoolExecutor(51) as pool:
        in_threads = [pool.submit(job.result, 20) for job in jobs]
        in_coroutines = pool.submit(asyncio.run, wait_all())
        until(lambda: sum(client.pubsub_numsub("postroom:events")[0][1:]) == 1)
        subscribers = client.pubsub_numsub("postroom:events")[0][1]
        burst(tasks)
        assert [future.result() for future in in_threads] == [2 * n for n in range(50)]
        assert in_coroutines.result() == [2 * n for n in range(50) for _ in range(4)]
    assert subscribers == 1, "all waiters of a process share one subscription"


def test_a_waiter_is_woken_and_does_not_only_look(tasks: Postroom, client: Any) -> None:
    job = tasks.enqueue("double", 1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(job.result, 20)
        time.sleep(1.2)  # by now it looks once a second
        began = time.monotonic()
        burst(tasks)
        assert waiting.result() == 2
    assert time.monotonic() - began < 0.9


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_result_comes_though_the_subscription_is_lost(asynchronous: bool, tasks: Postroom, client: Any) -> None:
    job = tasks.enqueue("double", 21)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(asyncio.run, job.aresult(20)) if asynchronous else pool.submit(job.result, 20)
        until(lambda: client.pubsub_numsub("postroom:events")[0][1])
        client.client_kill_filter(_type="pubsub")
        until(lambda: not client.pubsub_numsub("postroom:events")[0][1])
        burst(tasks)
        assert waiting.result(10) == 42


def test_what_others_publish_disturbs_nobody(tasks: Postroom, client: Any) -> None:
    job = tasks.enqueue("double", 21)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(job.result, 20)
        (listener,) = until(lambda: client.client_list(_type="pubsub"))
        for noise in (b"not json", b"[]", b"{}", b'{"event": "finished"}', b'{"event": {}, "jobs": [[]]}', b"\xff"):
            client.publish("postroom:events", noise)
        burst(tasks)
        assert waiting.result(20) == 42
        assert listener["id"] in [one["id"] for one in client.client_list(_type="pubsub")], "it listens on"


def test_the_listener_ends_when_nobody_waits(tasks: Postroom, client: Any) -> None:
    job = tasks.enqueue("double", 1)
    with pytest.raises(ResultError):
        job.result(0.1)
    until(lambda: not client.pubsub_numsub("postroom:events")[0][1])
    until(lambda: all(thread.name != "postroom-results" for thread in threading.enumerate()))
