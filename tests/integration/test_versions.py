"""Versions of a message: producers and workers of three source trees, each in processes of its own."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.integration.programs import Program, until
from tests.servers import Server

HEAD = """
import sys
from dataclasses import dataclass
from postroom import Postroom, message, upcast

app = Postroom()
"""
TREES = {
    1: """
@message("order.placed")
@dataclass
class Order:
    number: str
""",
    2: """
@message("order.placed", version=2)
@dataclass
class Order:
    number: int

@upcast("order.placed", 1, 2)
def whole(order):
    return {**order, "number": int(order["number"])}
""",
    3: """
@message("order.placed", version=3, min_reader=2)
@dataclass
class Order:
    number: int
    note: str = "none"

@upcast("order.placed", 1, 2)
def whole(order):
    return {**order, "number": int(order["number"])}

@upcast("order.placed", 2, 3)
def noted(order):
    return {**order, "note": "from 2"}
""",
}
TAIL = """
@app.task(name="take")
def take(order: Order) -> str:
    return repr(order)

if __name__ == "__main__":
    print(take.enqueue(Order(*eval(sys.argv[1]))).id)
"""
Trees = dict[int, Program]


@pytest.fixture
def trees(tmp_path: Path, server: Server, client: redis.Redis) -> Iterator[Trees]:
    """The three versions of one app."""
    found = {version: Program(tmp_path / f"v{version}", server.url) for version in TREES}
    for version, program in found.items():
        program.write("shop.py", HEAD + TREES[version] + TAIL)
    yield found
    for program in found.values():
        program.close()


def produce(program: Program, order: tuple[Any, ...]) -> str:
    ran = program.run("shop.py", repr(order))
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def work(program: Program, **environ: str) -> None:
    ran = program.run("-m", "postroom", "worker", "shop:app", "--burst", "-p", "1", **environ)
    assert ran.returncode == 0, ran.stderr


def test_each_version_reads_what_it_may_and_leaves_the_rest(trees: Trees, client: redis.Redis) -> None:
    # Given a job of each version's producer
    jobs = [produce(trees[1], ("7",)), produce(trees[2], (7,)), produce(trees[3], (7, "new"))]
    one, two, three = (f"rq:job:{job}" for job in jobs)
    assert client.hget(three, "p:messages") == b'{"order.placed":[3,2]}'

    # If a worker of version 1 comes first
    work(trees[1])

    # I expect that it has done its own, and that the newer ones wait, not dead, without an attempt, and say why
    assert client.hget(one, "result") == b"\"Order(number='7')\""
    for job in (two, three):
        assert client.hmget(job, "status", "p:attempt", "p:reason") == [b"scheduled", None, None]
        assert client.zscore("postroom:declined:default", job.removeprefix("rq:job:")) is not None
    told = trees[1].run("-m", "postroom", "why", jobs[1], "--json").stdout
    assert '"needs-upgrade"' in told
    assert "message order.placed of version 2, which needs a reader of version 2; workers are asked again" in told

    # If one of version 2 comes then
    trees[2].worker("shop:app")

    # I expect that it takes its own, and the one of version 3, which readers of version 2 may read
    began = time.monotonic()
    until(lambda: client.hmget(two, "status") == client.hmget(three, "status") == [b"finished"], 40)
    assert time.monotonic() - began < 20, "at once: nobody has waited for the slow look"
    assert client.hget(two, "result") == client.hget(three, "result") == b'"Order(number=7)"'
    assert client.zcard("rq:failed:default") == 0


def test_a_newer_worker_brings_older_messages_up(trees: Trees, client: redis.Redis) -> None:
    jobs = [produce(trees[1], ("7",)), produce(trees[2], (8,)), produce(trees[3], (9, "new"))]
    work(trees[3])
    results = [client.hget(f"rq:job:{job}", "result") for job in jobs]
    assert results == [
        b"\"Order(number=7, note='from 2')\"",
        b"\"Order(number=8, note='from 2')\"",
        b"\"Order(number=9, note='new')\"",
    ]


def test_an_unknown_task_waits_for_a_worker_that_knows_it(trees: Trees, client: redis.Redis) -> None:
    ran = trees[1].run("-c", "from shop import app; print(app.enqueue('added', 7).id)")
    job = f"rq:job:{ran.stdout.strip()}"
    waiting = {"POSTROOM_UNKNOWN_TASK_TTL": "600"}
    work(trees[1], **waiting)
    assert client.hmget(job, "status", "p:attempt", "p:reason") == [b"scheduled", None, None]
    trees[2].write("more.py", "from shop import app\n\n@app.task(name='added')\ndef added(n: int): return n + 1\n")
    trees[2].worker("more:app", **waiting)
    until(lambda: client.hget(job, "status") == b"finished", 40)
    assert client.hget(job, "result") == b"8"


def test_old_workers_beside_new_ones_hand_each_job_on_and_tell_of_it_once(trees: Trees, client: redis.Redis) -> None:
    """No worker spins on what it may not read, and none is lost between them."""
    listener = client.pubsub()  # type: ignore[no-untyped-call]
    listener.subscribe("postroom:events")
    trees[1].worker("shop:app")
    jobs = [produce(trees[2], (number,)) for number in range(3)]
    until(lambda: client.zcard("postroom:declined:default") == 3)
    tokens = int(client.get("postroom:token") or 0)
    time.sleep(2)
    assert int(client.get("postroom:token") or 0) == tokens, "nobody has claimed anything"
    trees[2].worker("shop:app")
    until(lambda: all(client.hget(f"rq:job:{job}", "status") == b"finished" for job in jobs), 40)
    heard = iter(lambda: listener.get_message(timeout=0.2), None)
    told = [json.loads(one["data"]) for one in heard if one["type"] == "message"]
    declined = [job for one in told if one["event"] == "declined" for job in one["jobs"]]
    assert sorted(declined) == sorted(jobs), "each once"
    assert client.keys("postroom:declined:*") == []
    listener.close()


HANDS = """
import asyncio
import sys
from dataclasses import dataclass
from postroom import Postroom, evolve, message

app = Postroom()

@message("parcel", version={version}, min_reader=1)
@dataclass(frozen=True, slots=True)
class Parcel:
    number: int
    note: str = ""
{more}

@app.task(name="keep", queue="kept")
def keep(parcel: Parcel) -> str:
    return repr(parcel)

def on(parcel):
    return keep.enqueue(evolve(parcel, note=f"{{parcel.number}} passed")).id

@app.task(name="by-thread")
def by_thread(parcel: Parcel) -> str:
    return on(parcel)

@app.task(name="by-coroutine")
async def by_coroutine(parcel: Parcel) -> list[str]:
    async def awaited():
        return (await keep.aenqueue(parcel)).id
    return [await asyncio.to_thread(on, parcel), await asyncio.create_task(awaited())]

@app.task(name="in-isolation", isolate=True)
def in_isolation(parcel: Parcel) -> str:
    return on(parcel)

if __name__ == "__main__":
    for task in (by_thread, by_coroutine, in_isolation):
        print(task.enqueue(Parcel(7, weight=3)).id)
"""


def test_whoever_runs_the_handler_what_it_sends_on_is_whole(trees: Trees, client: redis.Redis) -> None:
    for version, more in ((1, ""), (2, "    weight: int = 0\n    colour: str = 'none'")):
        trees[version].write("hands.py", HANDS.format(version=version, more=more))
    ran = trees[2].run("hands.py")
    assert ran.returncode == 0, ran.stderr
    jobs = [f"rq:job:{job_id}" for job_id in ran.stdout.split()]
    trees[1].worker("hands:app", "default")
    until(lambda: all(client.hget(job, "status") == b"finished" for job in jobs), 40)
    results = [json.loads(client.hget(job, "result") or b"") for job in jobs]
    passed = [results[0], results[1][0], results[2]]
    assert {client.hget(f"rq:job:{job_id}", "p:messages") for job_id in (*passed, results[1][1])} == {
        b'{"parcel":[2,1]}'
    }
    trees[2].worker("hands:app", "kept")
    until(lambda: client.zcard("rq:finished:kept") == 4, 40)
    kept = [json.loads(client.hget(f"rq:job:{job_id}", "result") or b"") for job_id in passed]
    assert kept == ["Parcel(number=7, note='7 passed', weight=3, colour='none')"] * 3
    came, went = client.hget(jobs[0], "data"), client.hget(f"rq:job:{results[1][1]}", "data")
    assert came == b'["by-thread",null,[{"number":7,"note":"","weight":3,"colour":"none"}],{}]'
    assert went == b'["keep",null,[{"number":7,"note":"","weight":3,"colour":"none"}],{}]'
