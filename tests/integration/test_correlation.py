"""Correlation: jobs that jobs enqueue tell where they come from, if the setting is on, and nothing if it is not."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from postroom import Postroom, ResultExpired, correlation, current_job
from tests.integration.programs import burst
from tests.servers import Server


def program(app: Postroom) -> list[tuple[str, str]]:
    """Tasks that enqueue one another; the ids of the jobs that ran, and what they say they are a part of."""
    ran: list[tuple[str, str]] = []

    def note() -> None:
        ran.append((str(current_job.id), str(current_job.correlation_id)))

    @app.task(name="first")
    def first() -> list[str]:
        note()
        return [app.enqueue("second").id, *app.using("third").enqueue_many([()])]

    @app.task(name="second")
    async def second() -> str:
        note()
        return (await app.aenqueue("third")).id

    @app.task(name="third")
    def third() -> None:
        note()

    return ran


@pytest.fixture
def telling(server: Server, client: redis.Redis) -> Iterator[Postroom]:
    """An app with the setting on."""
    made = Postroom(server.url, correlation=True)
    yield made
    made.broker.close()


def ids(app: Postroom, job_id: str) -> tuple[Any, Any]:
    event = app.job(job_id).cloudevent()
    return event.get("causationid"), event.get("correlationid")


def test_a_job_tells_what_enqueued_it_and_what_all_are_a_part_of(telling: Postroom, client: Any) -> None:
    ran = program(telling)
    job = telling.enqueue("first")
    burst(telling, "default")
    second, third = job.result(5)
    last = telling.job(second).result(5)
    assert ids(telling, job.id) == (None, None)
    assert client.hget(f"rq:job:{job.id}", "p:trace") is None
    assert ids(telling, second) == ids(telling, third) == (job.id, job.id)
    assert ids(telling, last) == (second, job.id)
    assert sorted(ran) == sorted((one, job.id) for one in (job.id, second, third, last))


def test_the_program_says_what_it_works_on(telling: Postroom) -> None:
    program(telling)
    token = correlation.set("request-7")
    try:
        job = telling.enqueue("second")
    finally:
        correlation.reset(token)
    burst(telling, "default")
    assert ids(telling, job.id) == (None, "request-7")
    assert ids(telling, job.result(5)) == (job.id, "request-7")
    assert ids(telling, telling.enqueue("third").id) == (None, None)


def test_where_the_setting_is_off_nothing_is_sent(app: Postroom, client: Any) -> None:
    ran = program(app)
    job = app.enqueue("first")
    burst(app, "default")
    second, _ = job.result(5)
    assert ids(app, second) == (None, None)
    assert client.hget(f"rq:job:{second}", "p:trace") is None
    assert sorted(ran) == sorted((one, one) for one, _ in ran)


def test_an_event_of_a_job_that_is_gone(app: Postroom) -> None:
    program(app)
    job = app.enqueue("third")
    event = job.cloudevent()
    assert asyncio.run(job.acloudevent()) == event
    assert json.loads(json.dumps(event)) == event
    job.delete()
    with pytest.raises(ResultExpired, match=f"job {job.id} is not on the server"):
        job.cloudevent()
