"""A job that cannot be run hurts only itself: it is a dead letter with the reason, and the worker goes on."""

import os
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from rq.job import Job as RqJob
from rq.registry import FailedJobRegistry

from postroom import JobFailed, Postroom, ResultExpired
from tests.integration.programs import until, working

Field = bytes | str | int
CALL = b'["double",null,[1],{}]'
DATE = "2026-11-23T08:00:00.000000Z"


@pytest.fixture
def ran(app: Postroom) -> list[int]:
    """A task that doubles, and what it was called with."""
    seen: list[int] = []

    @app.task(name="double", queue="q")
    def double(number: int) -> int:
        seen.append(number)
        return 2 * number

    return seen


def plant(client: Any, job_id: str, **fields: Field) -> None:
    """A hash as somebody else might write it, on the queue."""
    ours: dict[str, Field] = {"data": CALL, "p:type": "json", "status": "queued", "origin": "q", "created_at": DATE}
    given: dict[str, Field] = {name.replace("p_", "p:"): value for name, value in fields.items()}
    stored = {name: value for name, value in {**ours, **given}.items() if value != b"absent"}
    if stored:
        client.hset(f"rq:job:{job_id}", mapping=stored)
    client.rpush("rq:queue:q", job_id)
    client.sadd("rq:queues", "rq:queue:q")


def bomb() -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(60)) + packer.flush()


ABSENT = b"absent"
BAD: dict[str, tuple[dict[str, Field], str]] = {
    "no-data": ({"data": ABSENT}, "the job's hash has no data"),
    "empty-data": ({"data": b""}, "not JSON"),
    "not-json": ({"data": b"\x80\x04\x95"}, "not JSON"),
    "not-a-call": ({"data": b'{"a": 1}'}, "not a call"),
    "a-method": ({"data": b'["double",{"an":"instance"},[],{}]'}, "not a call"),
    "deep": ({"data": b"[" * 200_000}, "not JSON"),
    "unknown-task": ({"data": b'["os.system",null,["true"],{}]'}, "no task 'os.system' in this app"),
    "unknown-type": ({"p_type": "x-future/2"}, "p:type='x-future/2'"),
    "type-no-text": ({"p_type": b"\xff\xfe"}, "content type"),
    "bad-date": ({"created_at": "yesterday"}, "created_at='yesterday' is no date"),
    "date-no-text": ({"created_at": b"\xff\xfe"}, "is no date"),
    "bad-timeout": ({"timeout": "soon"}, "timeout=b'soon' is no number of seconds"),
    "endless-timeout": ({"timeout": "1e400"}, "timeout=b'1e400'"),
    "bad-ttl": ({"result_ttl": "day"}, "result_ttl=b'day' is no number of seconds"),
    "huge-ttl": ({"result_ttl": "9" * 30}, "result_ttl=b'9999"),
    "zipped": ({"data": zlib.compress(CALL)}, "not JSON"),
    "rq-bomb": ({"data": bomb(), "p_type": ABSENT}, "inflates to more than 10,000,000 bytes"),
    "rq-bad-date": ({"p_type": ABSENT, "enqueued_at": "yesterday"}, "yesterday"),
    "rq-bad-ttl": ({"p_type": ABSENT, "result_ttl": "day"}, "day"),
    "rq-bad-status-field": ({"p_type": ABSENT, "retries_left": "many"}, "many"),
    "rq-unknown": ({"p_type": ABSENT, "data": b'["os.system",null,["true"],{}]'}, "no task 'os.system' in this app"),
    "rq-pickle": ({"p_type": ABSENT, "data": b"\x80\x04\x95\x04\x00"}, "not JSON"),
    "rq-cut-zlib": ({"p_type": ABSENT, "data": zlib.compress(os.urandom(500))[:-20]}, "not JSON"),
}


def run_among_good_ones(app: Postroom, plant_bad: Callable[[], object]) -> None:
    """Plant between good jobs; all good ones are run, before and after, by one thread."""
    before = app.using("double").enqueue_many([(n,) for n in range(5)])
    plant_bad()
    after = app.using("double").enqueue_many([(n,) for n in range(5)])
    with working(app, concurrency=1):
        assert [app.job(job_id).result(20) for job_id in before + after] == [0, 2, 4, 6, 8] * 2
        assert app.enqueue("double", 21).result(20) == 42


def fetchable(client: Any, job_id: str) -> bool:
    try:
        return bool(RqJob.fetch(job_id, connection=client, serializer="json"))
    except Exception:
        return False


@pytest.mark.parametrize("name", BAD)
def test_a_bad_hash_is_a_dead_letter_with_the_reason(name: str, app: Postroom, ran: list[int], client: Any) -> None:
    fields, told = BAD[name]
    run_among_good_ones(app, lambda: plant(client, name, **fields))
    with pytest.raises(JobFailed) as raised:
        app.job(name).result(20)
    assert told in raised.value.reason
    assert len(ran) == 11, "it never ran"
    dead = FailedJobRegistry("q", connection=client, serializer="json")
    assert dead.get_job_ids() == [name]
    until(lambda: fetchable(client, name))
    fetched = RqJob.fetch(name, connection=client, serializer="json")
    assert (fetched.get_status(), fetched.origin) == ("failed", "q")
    assert client.zcard("rq:wip:q") == 0


@pytest.mark.parametrize("field", ["p:attempt", "p:first", "p:token", "p:redelivered", "worker_name", "description"])
def test_bookkeeping_that_is_garbage_does_not_keep_a_job_from_running(
    field: str, app: Postroom, ran: list[int], client: Any
) -> None:
    plant(client, "odd", **{field.replace("p:", "p_"): b"\xffgarbage"})
    with working(app):
        assert app.job("odd").result(20) == 2
    assert ran == [1]


@pytest.mark.parametrize("kind", ["string", "list", "set", "zset", "stream"])
def test_a_key_of_another_type_in_the_hashs_place_is_put_aside(
    kind: str, app: Postroom, ran: list[int], client: Any
) -> None:
    write: dict[str, Callable[[str], Any]] = {
        "string": lambda key: client.set(key, "theirs"),
        "list": lambda key: client.rpush(key, "theirs"),
        "set": lambda key: client.sadd(key, "theirs"),
        "zset": lambda key: client.zadd(key, {"theirs": 1}),
        "stream": lambda key: client.xadd(key, {"theirs": 1}),
    }

    def foreign() -> None:
        write[kind]("rq:job:foreign")
        client.rpush("rq:queue:q", "foreign")

    run_among_good_ones(app, foreign)
    with pytest.raises(JobFailed, match="put aside as postroom:foreign:foreign"):
        app.job("foreign").result(20)
    assert client.type("postroom:foreign:foreign").decode() == kind
    assert RqJob.fetch("foreign", connection=client, serializer="json").get_status() == "failed"


@pytest.mark.parametrize("job_id", [b"no:id", b"@q", b"", b" ", b"\xff\xfe", "größe".encode()])
def test_what_can_be_no_id_on_the_list_is_kept_apart(job_id: bytes, app: Postroom, ran: list[int], client: Any) -> None:
    client.hset(b"rq:job:" + job_id, mapping={"data": CALL, "status": "queued", "p:type": "json"})
    run_among_good_ones(app, lambda: client.rpush("rq:queue:q", job_id))
    assert len(ran) == 11
    assert client.zcard("rq:wip:q") == 0


def test_an_id_without_a_job_is_dropped(app: Postroom, ran: list[int], client: Any) -> None:
    run_among_good_ones(app, lambda: client.rpush("rq:queue:q", "nothing"))
    with pytest.raises(ResultExpired):
        app.job("nothing").result(0)
    assert client.zcard("rq:failed:q") == 0


def test_many_bad_jobs_at_once(app: Postroom, ran: list[int], client: Any) -> None:
    def all_of_them() -> None:
        for name, (fields, _) in BAD.items():
            plant(client, name, **fields)

    run_among_good_ones(app, all_of_them)
    until(lambda: client.zcard("rq:failed:q") == len(BAD))
    assert {job_id.decode() for job_id in client.zrange("rq:failed:q", 0, -1)} == set(BAD)


def test_bad_entries_beside_the_jobs_do_not_stop_the_duties(app: Postroom, ran: list[int], client: Any) -> None:
    client.sadd("rq:queues", b"\xff\xfe", "", "somebody:elses", "rq:queue:broken")
    client.set("rq:scheduled:broken", "a text")
    client.zadd("postroom:leases", {b"\xff": 1, "a process that never was": 1})
    client.hset("postroom:held:a process that never was", mapping={"garbage": "q", "no-job:7": "q", "@q": "x"})
    later = app.using("double", delay=0.3).enqueue(21)
    with working(app):
        assert later.result(20) == 42
        assert app.using("double", delay=0.1).enqueue(1).result(20) == 2
