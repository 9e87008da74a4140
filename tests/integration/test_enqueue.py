"""Producing: every way to hand a job over, every option, and what is refused leaves nothing behind."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rq.job import Job as RqJob

from postroom import ConfigError, DuplicateJob, EncodeError, Job, Postroom, Rejected
from postroom.scheduler.promote import Promote
from tests.integration.programs import burst, until

Hash = dict[str, str]


@pytest.fixture
def add(app: Postroom) -> Any:
    """A declared task of the queue `sums`."""

    @app.task(name="add", queue="sums")
    def add(a: int, b: int = 0) -> int:
        return a + b

    return add


def stored(client: Any, job: Job[Any]) -> Hash:
    return {field.decode(): value.decode() for field, value in client.hgetall(f"rq:job:{job.id}").items()}


def listed(client: Any, queue: str = "sums") -> list[str]:
    return [job_id.decode() for job_id in client.lrange(f"rq:queue:{queue}", 0, -1)]


def test_a_job_is_on_its_queue(add: Any, client: Any) -> None:
    job = add.enqueue(2, b=3)
    assert listed(client) == [job.id]
    assert client.smembers("rq:queues") == {b"rq:queue:sums"}
    found = stored(client, job)
    assert found["data"] == '["add",null,[2],{"b":3}]'
    assert (found["origin"], found["status"], found["p:type"]) == ("sums", "queued", "json")
    assert found["created_at"] == found["enqueued_at"]
    assert len(client.keys()) == 3
    fetched = RqJob.fetch(job.id, connection=client, serializer="json")
    assert (fetched.func_name, fetched.args, fetched.kwargs, fetched.origin) == ("add", [2], {"b": 3}, "sums")


def test_from_an_event_loop(add: Any, client: Any) -> None:
    async def produce() -> list[Job[int]]:
        return [await add.aenqueue(1), *await asyncio.gather(*(add.aenqueue(n, b=n) for n in range(20)))]

    jobs = asyncio.run(produce())
    assert sorted(listed(client)) == sorted(job.id for job in jobs)


def test_by_name_without_the_consumers_code(app: Postroom, server: Any, client: Any) -> None:
    job = app.enqueue("shop.send", 42, kwargs={"copy": True}, queue="mail", job_id="receipt-42")
    assert job.id == "receipt-42"
    assert stored(client, job)["data"] == '["shop.send",null,[42],{"copy":true}]'
    later = asyncio.run(app.aenqueue("shop.send", queue="mail", delay=60))
    assert later.status() == "scheduled"
    assert listed(client, "mail") == ["receipt-42"]


@pytest.mark.parametrize("job_id", ["receipt-42", "x" * 128])
def test_an_id_of_the_callers_is_taken_once(job_id: str, add: Any, client: Any) -> None:
    prepared = add.using(job_id=job_id)
    assert prepared.enqueue(1).id == job_id
    before = client.dump(f"rq:job:{job_id}")
    with pytest.raises(DuplicateJob, match=job_id) as raised:
        prepared.enqueue(2)
    assert raised.value.job_id == job_id
    with pytest.raises(DuplicateJob):
        asyncio.run(prepared.aenqueue(3))
    assert client.dump(f"rq:job:{job_id}") == before
    assert listed(client) == [job_id]


def test_an_id_is_free_again_when_its_job_is_deleted(add: Any, app: Postroom, client: Any) -> None:
    prepared = add.using(job_id="receipt-42")
    prepared.enqueue(1)
    burst(app)
    with pytest.raises(DuplicateJob):
        prepared.enqueue(2)
    assert app.job("receipt-42").delete()
    prepared.enqueue(3)
    burst(app)
    assert app.job("receipt-42").result(0) == 3


def test_options_are_in_the_hash(add: Any, client: Any) -> None:
    job = add.using(queue="mail", timeout=timedelta(minutes=1), result_ttl=-1).enqueue(1)
    found = stored(client, job)
    assert (found["origin"], found["timeout"], found["result_ttl"]) == ("mail", "60", "-1")
    assert listed(client, "mail") == [job.id]
    assert listed(client) == []


def test_in_front(add: Any, client: Any) -> None:
    first, second = add.enqueue(1).id, add.using(at_front=True).enqueue(2).id
    many = add.using(at_front=True).enqueue_many([(3,), (4,)])
    assert listed(client) == [*many, second, first], "a batch keeps its order"


def due(client: Any, job: Job[Any]) -> Any:
    return client.zscore("rq:scheduled:sums", job.id)


def test_for_later_in_rqs_scheduled_registry(add: Any, client: Any) -> None:
    now = client.time()[0]
    assert due(client, add.using(delay=90).enqueue(1)) == pytest.approx(now + 90, abs=2)
    assert due(client, add.using(delay=timedelta(hours=1)).enqueue(1)) == pytest.approx(now + 3600, abs=2)
    at = datetime(2100, 1, 1, tzinfo=UTC)
    job = add.using(run_at=at).enqueue(1)
    assert due(client, job) == at.timestamp()
    assert (job.status(), listed(client)) == ("scheduled", [])
    assert client.sismember("rq:queues", "rq:queue:sums"), "the duty must find it"


def test_what_is_due_is_promoted(add: Any, app: Postroom, client: Any) -> None:
    waiting = add.enqueue(0).id
    soon = add.using(delay=0.05).enqueue(1).id
    past = add.using(run_at=datetime(2020, 1, 1, tzinfo=UTC), at_front=True).enqueue(2).id
    later = add.using(delay=60).enqueue(3)

    def promoted() -> bool:
        Promote().do(app)
        return bool(client.zcard("rq:scheduled:sums") == 1)

    until(promoted)
    assert listed(client) == [past, waiting, soon]
    assert stored(client, app.job(soon))["status"] == "queued"
    assert later.status() == "scheduled"


def test_many_in_a_list(add: Any, client: Any) -> None:
    ids = add.enqueue_many([(n, n) for n in range(1200)])
    assert len(ids) == len(set(ids)) == 1200
    assert listed(client) == ids
    assert client.hget(f"rq:job:{ids[700]}", "data") == b'["add",null,[700,700],{}]'
    assert add.enqueue_many([]) == []


def test_many_with_options(add: Any, client: Any) -> None:
    ids = add.using(queue="mail", timeout=9).enqueue_many([(1,), [2]])
    assert listed(client, "mail") == ids
    assert client.hget(f"rq:job:{ids[1]}", "timeout") == b"9"
    add.using(delay=60).enqueue_many([(1,), (2,)])
    assert client.zcard("rq:scheduled:sums") == 2


def test_many_from_an_event_loop(add: Any, client: Any) -> None:
    async def produce() -> list[str]:
        return [job_id async for job_id in add.aenqueue_many((n,) for n in range(700))]

    assert asyncio.run(produce()) == listed(client)


def unread(produce: Callable[[], Any]) -> None:
    with pytest.warns(RuntimeWarning, match="not read, so nothing was enqueued"):
        produce()


def test_an_iterator_that_is_not_read_warns(add: Any, client: Any) -> None:
    unread(lambda: add.enqueue_many(iter([(1,)])))
    unread(lambda: add.aenqueue_many([(1,)]))
    assert client.keys() == []
    assert len(list(add.enqueue_many(iter([(1,)])))) == 1


class Session:
    """What JSON cannot carry."""


REFUSED: list[tuple[Any, ...]] = [
    (EncodeError, r"add: argument 1 of type Session cannot be encoded", [1, Session()], {}),
    (EncodeError, r"add: argument 'b' of type Session cannot be encoded", [1], {"b": Session()}),
    (EncodeError, r"add: argument 0 of type dict .*Session", [{"deep": [Session()]}], {}),
    (EncodeError, r"args\[0\] is NaN or infinite", [float("nan")], {}),
    (Rejected, r"add: the call has 1,000,0\d\d bytes, the limit is 1,000,000", ["x" * 1_000_000], {}),
]


@pytest.mark.parametrize(("error", "told", "args", "kwargs"), REFUSED)
def test_what_is_refused_leaves_nothing_behind(
    error: type[Exception], told: str, args: list[Any], kwargs: dict[str, Any], add: Any, client: Any
) -> None:
    for options in ({}, {"job_id": "receipt-42"}, {"delay": 60}):
        with pytest.raises(error, match=told):
            add.using(**options).enqueue(*args, **kwargs)
        with pytest.raises(error, match=told):
            asyncio.run(add.using(**options).aenqueue(*args, **kwargs))
    if not kwargs:
        with pytest.raises(error, match=told):
            add.enqueue_many([(1,), args])
    assert client.keys() == []


@pytest.mark.parametrize("calls", [[1, 2], ["ab", "cd"], [{"a": 1}], [None]])
def test_many_calls_that_are_no_sequences(calls: list[Any], add: Any, client: Any) -> None:
    with pytest.raises(EncodeError, match="give a tuple or a list"):
        add.enqueue_many(calls)
    assert client.keys() == []


@pytest.mark.parametrize("options", [{"run_at": datetime(2100, 1, 1)}, {"delay": -1}, {"job_id": "a:b"}, {"queue": ""}])
def test_bad_options_leave_nothing_behind(options: dict[str, Any], add: Any, client: Any) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        add.using(**options).enqueue(1)
    assert client.keys() == []


def test_the_limit_is_a_setting(server: Any, client: Any) -> None:
    app = Postroom(server.url, payload_limit=100)
    with pytest.raises(Rejected, match="the limit is 100"):
        app.enqueue("t", "x" * 100)
    app.enqueue("t", "x" * 50)
    app.broker.close()


def test_a_batch_larger_than_the_limit_goes_in_parts(app: Postroom, client: Any) -> None:
    began = time.monotonic()
    ids = app.using("add", queue="sums").enqueue_many([("x" * 400_000,) for _ in range(9)])
    assert listed(client) == ids
    assert time.monotonic() - began < 10
