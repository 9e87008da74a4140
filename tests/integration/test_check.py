"""`postroom check` as CI runs it: against a lock in a folder, and against a live server."""

import itertools
import json
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from rq import Queue

from postroom import Burial, Postroom
from postroom.contracts import payloads as pages
from postroom.contracts.contract import TASK, contracts
from postroom.contracts.gate import Findings, Gate
from postroom.jobs import timetable
from tests.integration.programs import Command, burst
from tests.servers import Server

MADE = itertools.count()
APP = """
from postroom import Postroom, Secret
app = Postroom()

@app.task(name="receipt")
def receipt({}): ...
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Writes an app whose task takes these parameters into the current folder; what is to be checked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(parameters: str) -> str:
        name = f"shop_{next(MADE)}"  # a module is imported once in a process
        Path(f"{name}.py").write_text(APP.format(parameters))
        return f"{name}:app"

    return write


def lock() -> Any:
    return json.loads(Path("schemas.lock.json").read_text())


def test_from_the_first_lock_to_a_change_that_breaks(command: Command, shop: Callable[[str], str]) -> None:
    first = shop("order: int")
    said = command("check", first)
    assert said.code == 1
    assert "--update" in said.out
    assert not Path("schemas.lock.json").exists()
    assert command("check", first, "--update").code == 0
    assert lock()["task"]["receipt"]["versions"][0]["sample"] == {"order": 1}
    before = Path("schemas.lock.json").read_bytes()
    assert command("check", first).code == 0
    assert command("check", first, "--update").code == 0
    assert Path("schemas.lock.json").read_bytes() == before

    said = command("check", shop("order: int, note: str"), "--update")
    assert said.code == 1
    assert "$.note  old messages may be without it, new readers require it" in said.out
    assert "breaks  new readers of old messages (1 → 2)" in said.out
    assert "fix     give it a default" in said.out
    assert Path("schemas.lock.json").read_bytes() == before


def test_a_new_parameter_is_for_workers_that_are_deployed_first(command: Command, shop: Callable[[str], str]) -> None:
    command("check", shop("order: int"), "--update")
    wider = shop("order: int, note: str = ''")
    said = command("check", wider, "--json")
    (contract,) = (one for one in said.json["contracts"] if one["name"] == "receipt")  # other tests' messages stay
    assert (said.code, contract["status"], contract["mode"]) == (1, "breaking", "FULL_TRANSITIVE")
    (told,) = contract["breaks"]
    assert (told["path"], told["whom"], told["versions"]) == ("$.note", "old readers of new messages", [2, 1])
    said = command("check", wider, "--mode", "receipt=backward_transitive", "--update", "--json")
    assert (said.code, {one["locked"] for one in said.json["contracts"]}) == (0, {True})
    assert lock()["task"]["receipt"]["mode"] == "BACKWARD_TRANSITIVE"
    assert command("check", wider).code == 0


def test_an_edited_lock_is_an_error(command: Command, shop: Callable[[str], str]) -> None:
    target = shop("order: int")
    command("check", target, "--update")
    path = Path("schemas.lock.json")
    path.write_text(path.read_text().replace('"integer"', '"string"'))
    said = command("check", target, "--update")
    assert said.code == 1
    assert "version 1 in the lock is not what was locked" in said.out


def test_a_sample_of_ones_own(command: Command, shop: Callable[[str], str]) -> None:
    Path("mine.json").write_text('{"order": 42}')
    assert command("check", shop("order: int"), "--sample", "receipt=mine.json", "--update").code == 0
    assert lock()["task"]["receipt"]["versions"][0]["sample"] == {"order": 42}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--mode", "SIDEWAYS"], "'SIDEWAYS' is none of NONE"),
        (["--mode", "recipe=NONE"], "no task and no message is called 'recipe': there are "),
        (["--sample", "receipt"], "write NAME=FILE"),
        (["--sample", "receipt=none.json"], "none.json cannot be read"),
        (["--retire", "receipt"], "still declared"),
        (["--lock", "broken.json"], "no lock of schemas"),
        (["--against", "redis://127.0.0.1:1", "--update"], "without the other options"),
    ],
)
def test_wrong_usage(command: Command, shop: Callable[[str], str], arguments: list[str], told: str) -> None:
    Path("broken.json").write_text("{")
    said = command("check", shop("order: int"), *arguments)
    assert said.code == 2
    assert told in said.err


def test_a_target_that_is_none(command: Command) -> None:
    assert command("check", "no_such_module:app").code == 2


def test_a_server_that_is_not_there(command: Command, shop: Callable[[str], str]) -> None:
    assert command("check", shop("order: int"), "--against", "redis://127.0.0.1:1").code == 3


def old_jobs(app: Postroom) -> None:
    """Jobs of a release whose task took an order's number and a pin: on a list, due later, and dead."""

    @app.task(name="receipt", retry=None)
    def receipt(order: Any, pin: str = "") -> None:
        raise ValueError("no such order")

    receipt.enqueue(1, pin="hush-hush")
    receipt.enqueue("two")
    receipt.using(queue="late", delay=3600).enqueue("three")
    receipt.using(queue="dead").enqueue("four")
    burst(app, "dead")


def test_the_gate_names_task_count_and_a_sample(
    command: Command, shop: Callable[[str], str], app: Postroom, server: Server, client: redis.Redis
) -> None:
    old_jobs(app)
    before = {key: client.dump(key) for key in client.scan_iter()}
    said = command("check", shop("order: int, pin: Secret[str] = ''"), "--against", server.url, "--json")
    assert said.code == 1
    (problem,) = said.json["problems"]
    assert problem["task"] == "receipt"
    assert (problem["count"], problem["states"]) == (3, {"queued": 1, "scheduled": 1, "dead": 1})
    assert "xpected `int`, got `str`" in problem["problem"]
    assert "order" in problem["problem"]
    assert client.exists(f"rq:job:{problem['sample']}")
    assert {key: client.dump(key) for key in client.scan_iter()} == before

    said = command("check", shop("order: int"), "--against", server.url)
    assert "✗ receipt: " in said.out
    assert "pin" in said.out
    assert "hush-hush" not in said.out
    said = command("check", shop("order, pin=''"), "--against", server.url)
    assert (said.code, said.out.splitlines()[0]) == (0, f"4 jobs on {server.url}. All would be taken.")


def test_what_hooks_are_called_with_is_looked_at_and_not_the_apps_to_lock(app: Postroom) -> None:
    @app.on_dead(name="tell")
    def tell(burial: Burial) -> None: ...

    @app.task(name="receipt")
    def receipt() -> None: ...

    assert [contract.name for contract in contracts(app) if contract.kind == TASK] == ["receipt"]
    app.enqueue("tell", {"id": "a", "queue": "mail"})
    app.enqueue("tell")
    assert [(problem.task, problem.count) for problem in looked(app).problems] == [("tell", 1)]


def no_task(number: int) -> None:
    """RQ's producers may enqueue it."""


def looked(app: Postroom) -> Findings:
    return Gate(app).inspect(app.broker, lambda _: None)


def test_an_unknown_task_is_a_problem_but_not_where_it_is_dead_of_that(app: Postroom) -> None:
    app.enqueue("gone", 1)
    assert [(problem.task, problem.count) for problem in looked(app).problems] == [("gone", 1)]
    burst(app, "default")
    found = looked(app)
    assert (found.problems, found.dead_before) == ([], 1)


def test_jobs_of_rqs_producers(app: Postroom, client: redis.Redis) -> None:
    @app.task(name="receipt")
    def receipt(order: int) -> None: ...

    @app.task(name="plain", typed=False)
    def plain(thing: int) -> None: ...

    theirs = Queue("default", connection=client, serializer="json")
    theirs.enqueue("receipt", "no number")
    theirs.enqueue("plain", "anything")
    theirs.enqueue("plain", 1, 2)
    theirs.enqueue("receipt")
    theirs.enqueue("receipt", 1, 2)
    theirs.enqueue("builtins.print", 1)
    problems = {(problem.task, problem.problem) for problem in looked(app).problems}
    assert problems == {
        ("receipt", "receipt: order: expected `int`, got `str`"),
        ("receipt", "receipt: missing a required argument: 'order'"),
        ("receipt", "receipt: too many positional arguments"),
        ("plain", "too many positional arguments"),
        ("builtins.print", "no task of this name is declared or allowed"),
    }
    assert looked(app).looked == 6


def test_what_rq_may_compress_and_what_a_worker_holds_is_read(app: Postroom, client: redis.Redis) -> None:
    @app.task(name="receipt")
    def receipt(order: int) -> None: ...

    app.allow(no_task)  # not a task: what is annotated says nothing of what it is sent
    call = zlib.compress(json.dumps(["receipt", None, [1], {}]).encode())
    client.sadd("rq:queues", "rq:queue:default")
    client.hset("rq:job:theirs", mapping={"data": call})
    client.zadd("rq:wip:default", {"theirs:17": 1})
    app.enqueue(f"{__name__}.no_task", "no number")
    found = looked(app)
    assert (found.looked, found.gone, found.problems) == (2, 0, [])


def test_a_pickled_job_is_not_opened(server: Server, client: redis.Redis) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path("opened").touch, ())

    app = Postroom(server.url, pickle=["old"])
    client.sadd("rq:queues", "rq:queue:old")
    client.rpush("rq:queue:old", "a")
    client.hset("rq:job:a", mapping={"status": "queued", "data": zlib.compress(pickle.dumps(Bomb()))})
    found = looked(app)
    app.broker.close()
    assert (found.pickled, found.looked, found.problems) == (1, 0, [])
    assert not Path("opened").exists()


def test_what_is_broken_on_the_server_stops_nothing(app: Postroom, client: redis.Redis) -> None:
    @app.task(name="receipt")
    def receipt(order: int) -> None: ...

    receipt.enqueue(1)
    client.rpush("rq:queue:default", "absent", "foreign", "garbage", "canceled")
    client.set("rq:job:foreign", "no hash")
    client.hset("rq:job:garbage", mapping={"data": b"\xff\x00", "p:type": "json"})
    client.hset("rq:job:canceled", mapping={"data": b"[]", "status": "canceled", "p:type": "json"})
    client.set("rq:scheduled:default", "no registry")
    found = looked(app)
    assert (found.looked, found.gone) == (2, 2)
    assert [(problem.task, problem.sample) for problem in found.problems] == [("", "garbage")]


def test_every_page_is_read_once_and_told(app: Postroom, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    @app.task(name="receipt")
    def receipt(order: int) -> None: ...

    monkeypatch.setattr(pages, "PAGE", 7)
    receipt.enqueue_many([(n,) for n in range(40)])
    app.using("gone", delay=3600).enqueue_many([("x",) for n in range(300)])
    told: list[int] = []
    found = Gate(app).inspect(app.broker, told.append)
    assert (found.looked, sum(told), pages.count(app.broker)) == (340, 340, 340)
    assert [problem.count for problem in found.problems] == [300]
    assert max(told) <= 7


def test_large_jobs_come_in_small_pages(app: Postroom, monkeypatch: pytest.MonkeyPatch) -> None:
    @app.task(name="receipt")
    def receipt(text: str) -> None: ...

    monkeypatch.setattr(pages, "PAGE", 10)
    monkeypatch.setattr(pages, "PAGE_BYTES", 20_000)
    receipt.enqueue_many([("x" * 5_000,) for _ in range(60)])
    told: list[int] = []
    found = Gate(app).inspect(app.broker, told.append)
    assert found.looked == sum(told) == 60
    assert max(told[2:-1]) <= 4, "after the first pages, which nobody could know, and the one that was under way"


def test_a_list_that_is_taken_from_meanwhile_is_read_whole(
    app: Postroom, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGE", 10)
    client.sadd("rq:queues", "rq:queue:default")
    client.rpush("rq:queue:default", *(f"job-{n:03}" for n in range(100)))
    seen: list[str] = []
    for payload in pages.payloads(app.broker, lambda _: None):
        seen.append(payload.id)
        if len(seen) % 10 == 0 and len(seen) <= 50:
            client.lpop("rq:queue:default")
    assert set(seen) >= {f"job-{n:03}" for n in range(5, 100)}


def test_one_queue_where_several_apps_share_a_server(
    command: Command, shop: Callable[[str], str], server: Server, app: Postroom
) -> None:
    app.using("theirs", queue="other").enqueue(1)
    app.using("receipt", queue="mail").enqueue(1)
    target = shop("order: int")
    assert command("check", target, "--against", server.url).code == 1
    said = command("check", target, "--against", server.url, "--queue", "mail", "--json")
    assert (said.code, said.json["looked"]) == (0, 1)
    said = command("check", target, "--queue", "mail")
    assert (said.code, "--queue mail is for --against" in said.err) == (2, True)


def test_what_schedules_of_others_will_call_is_looked_at(app: Postroom, server: Server, client: redis.Redis) -> None:
    theirs = Postroom(server.url)
    theirs.schedule("gone", "@daily", name="nightly", queue="late", args=(1,))
    theirs.schedule("receipt", every=60, name="mine")
    for schedule in theirs.schedules.values():
        app.broker.run(timetable.declare(app.keys, schedule, 1.0))
    client.zadd("postroom:ticks", {"broken": 1})

    @app.task(name="receipt")
    def receipt() -> None: ...

    app.schedule(receipt, every=60, name="mine")
    found = looked(app)
    assert [(one.task, one.sample, one.queue, one.states) for one in found.problems] == [
        ("gone", "nightly", "late", {"cron": 1})
    ]
    assert found.looked == 1
    assert Gate(app).inspect(app.broker, lambda _: None, ["mail"]).looked == 0


def test_kinds_of_problems_are_bounded(app: Postroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom.contracts.gate.MOST_PROBLEMS", 3)
    for n in range(9):
        app.enqueue("task_" + "abcdefghi"[n])
    found = looked(app)
    assert len(found.problems) == 4
    assert found.problems[0].count == 6
