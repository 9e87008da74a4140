"""A million calls from a generator: handed over some hundreds at a time, never held in memory."""

import asyncio
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from postroom import EncodeError, Postroom, Unavailable
from postroom.jobs.messages import BATCH_JOBS
from tests.servers import Server

MANY = 100_000


class Calls:
    """Argument tuples, counted as they are read."""

    def __init__(self, count: int) -> None:
        self.read = 0
        self._count = count

    def __iter__(self) -> Iterator[tuple[int]]:
        for number in range(self._count):
            self.read += 1
            yield (number,)


@pytest.fixture
def send(app: Postroom) -> Any:
    """A declared task."""

    @app.task(name="send", queue="mail")
    def send(number: int) -> None: ...

    return send


def test_a_generator_is_never_held_in_memory(send: Any, client: Any) -> None:
    calls = Calls(MANY)
    count = 0
    tracemalloc.start()
    try:
        for _ in send.enqueue_many(iter(calls)):
            count += 1
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert count == calls.read == client.llen("rq:queue:mail") == MANY


def test_ids_come_as_their_jobs_are_acknowledged(send: Any, client: Any) -> None:
    calls = Calls(MANY)
    ids = send.enqueue_many(iter(calls))
    assert calls.read == client.llen("rq:queue:mail") == 0
    first = next(ids)
    assert calls.read == client.llen("rq:queue:mail") == BATCH_JOBS
    assert client.lindex("rq:queue:mail", 0) == first.encode()
    rest = list(islice(ids, BATCH_JOBS))
    assert calls.read == client.llen("rq:queue:mail") == 2 * BATCH_JOBS
    assert [job_id.encode() for job_id in [first, *rest]] == client.lrange("rq:queue:mail", 0, BATCH_JOBS)


def test_ids_come_as_acknowledged_to_an_event_loop_too(send: Any, client: Any) -> None:
    calls = Calls(MANY)

    async def first() -> str:
        async for job_id in send.aenqueue_many(iter(calls)):
            return str(job_id)
        raise AssertionError

    assert asyncio.run(first()).encode() == client.lindex("rq:queue:mail", 0)
    assert calls.read == client.llen("rq:queue:mail") == BATCH_JOBS


def test_the_ids_before_a_bad_call_are_known(send: Any, client: Any) -> None:
    def calls() -> Iterator[tuple[Any]]:
        yield from ((number,) for number in range(2 * BATCH_JOBS))
        yield (object(),)

    acknowledged: list[str] = []
    with pytest.raises(EncodeError, match="argument 0 of type object"):
        acknowledged.extend(send.enqueue_many(calls()))
    assert len(acknowledged) == client.llen("rq:queue:mail") == 2 * BATCH_JOBS


def test_the_batch_before_a_bad_call_is_acknowledged_before_the_error(send: Any, client: Any) -> None:
    calls: list[tuple[Any]] = [*((number,) for number in range(BATCH_JOBS)), (object(),)]
    with pytest.raises(EncodeError, match="argument 0 of type object"):
        send.enqueue_many(calls)
    assert client.llen("rq:queue:mail") == BATCH_JOBS


def test_the_ids_of_a_list_are_in_order_over_many_batches(send: Any, client: Any) -> None:
    ids = send.enqueue_many([(number,) for number in range(3 * BATCH_JOBS + 1)])
    assert [job_id.decode() for job_id in client.lrange("rq:queue:mail", 0, -1)] == ids


def test_the_ids_before_an_outage_are_known_and_what_they_say_is_true(send: Any) -> None:
    with Server(aof=True) as server:
        app = Postroom(server.url, deadline=0.3)
        ids = app.using("send").enqueue_many(iter(Calls(MANY)))
        acknowledged = list(islice(ids, 3 * BATCH_JOBS))
        server.kill()
        with pytest.raises(Unavailable):
            next(ids)
        server.start()
        with server.client() as client:
            listed = client.lrange("rq:queue:default", 0, -1)
        assert [job_id.decode() for job_id in listed] == acknowledged
        app.broker.close()
