"""Schedules on a real server: each tick is one job, whoever does the duty, whatever was deployed."""

import json
import logging
import os
import signal
import threading
import time
from typing import Any

import pytest

from postroom import ConfigError, Postroom
from postroom.duties import duties
from postroom.jobs import calls, timetable
from postroom.jobs.errors import ScriptFailed
from postroom.jobs.schedules import Schedule
from postroom.jobs.timetable import Entry
from postroom.scheduler.cron import Cron
from postroom.scheduler.declare import BEAT, Declare
from tests.integration.programs import Program, burst, until
from tests.servers import Server

TICKS = "postroom:ticks"
Redis = Any
"""A client; Any, since redis-py types its commands for sync and async at once."""


@pytest.fixture
def shop(app: Postroom) -> Postroom:
    """An app with a task."""

    @app.task(name="report", queue="reports")
    def report(*kinds: str) -> str:
        return " ".join(kinds)

    return app


def scheduled(app: Postroom, **fields: Any) -> Schedule:
    """Declare a schedule of `report`, on the server, too."""
    app.schedule("report", **{"every": 60, "name": "s", **fields})
    Declare().do(app)
    return app.schedules["s"]


def due_since(app: Postroom, client: Redis, schedule: Schedule, seconds: float) -> float:
    """Let the server wait since so many seconds for a tick; which."""
    due = schedule.after(app.broker.run(calls.server_time()) - seconds)
    client.zadd(TICKS, {schedule.name: due})
    return due


def entry(app: Postroom, name: str = "s") -> Entry:
    """A schedule as it stands."""
    due, stored = app.broker.run_many([timetable.due_of(app.keys, name), timetable.stored(app.keys, name)])
    return Entry.read(stored, due)


def waiting(client: Redis, queue: str = "reports") -> list[str]:
    """The ids on the queue's list."""
    return [job_id.decode() for job_id in client.lrange(f"rq:queue:{queue}", 0, -1)]


def test_a_tick_is_a_job_of_its_task_and_the_next_is_set(shop: Postroom, client: Redis) -> None:
    schedule = scheduled(shop, args=("sales", "stock"), timeout=7, result_ttl=70)
    Cron().do(shop)
    assert waiting(client) == []  # the first tick is still to come

    due = due_since(shop, client, schedule, 60)
    Cron().do(shop)
    Cron().do(shop)

    assert waiting(client) == [schedule.job_id(due)]
    found = entry(shop)
    assert (found.last, found.job) == (due, schedule.job_id(due))
    assert found.due == due + 60
    assert client.hmget(f"rq:job:{found.job}", "timeout", "result_ttl", "status") == [b"7", b"70", b"queued"]
    burst(shop, "reports")
    assert shop.job(found.job).result(timeout=1) == "sales stock"


def test_once_however_many_do_the_duty(shop: Postroom, client: Redis, server: Server) -> None:
    schedules = []
    for n in range(250):  # more than a page
        shop.schedule("report", every=60, name=f"s{n}")
        schedules.append(shop.schedules[f"s{n}"])
    Declare().do(shop)
    expected = {one.job_id(due_since(shop, client, one, 60)) for one in schedules}
    apps = [shop, Postroom(server.url), Postroom(server.url)]
    begin = threading.Barrier(len(apps))

    def duty(app: Postroom) -> None:
        begin.wait()
        Cron().do(app)

    threads = [threading.Thread(target=duty, args=(app,)) for app in apps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    made = waiting(client)
    assert len(made) == len(expected)
    assert set(made) == expected
    for app in apps[1:]:
        app.broker.close()


@pytest.mark.parametrize(
    "wrong", [{"queue": "a b"}, {"cron": "61 * * * *", "every": 0}, {"cron": "@daily", "every": 0, "tz": "X"}]
)
def test_one_that_another_version_has_stored_stops_no_other(
    shop: Postroom, client: Redis, wrong: dict[str, Any]
) -> None:
    schedule = scheduled(shop)
    due = due_since(shop, client, schedule, 60)
    definition = json.dumps({"name": "odd", "task": "report", "queue": "q", "every": 60, **wrong})
    client.hset("postroom:schedule:odd", mapping={"definition": definition, "digest": "d", "added": "1"})
    client.zadd(TICKS, {"odd": 1})
    with pytest.raises(ConfigError, match="'odd' does not tick"):
        Cron().do(shop)
    assert waiting(client) == [schedule.job_id(due)]


@pytest.mark.parametrize(("catch_up", "made"), [("last", 1), ("all", 5), ("none", 0)])
def test_what_was_missed(shop: Postroom, client: Redis, catch_up: str, made: int) -> None:
    schedule = scheduled(shop, every=1_000_000, catch_up=catch_up)
    now = shop.broker.run(calls.server_time())
    due = due_since(shop, client, schedule, now % 1_000_000 + 4_000_001)
    last = due + 4_000_000
    Cron().do(shop)
    missed = [schedule.job_id(due + n * 1_000_000) for n in range(5)]
    assert waiting(client) == ([] if not made else missed[-made:])
    assert entry(shop).due == last + 1_000_000


@pytest.mark.parametrize("overlap", ["allow", "skip", "queue"])
def test_the_job_before_has_not_ended(shop: Postroom, client: Redis, overlap: str) -> None:
    schedule = scheduled(shop, overlap=overlap)
    first = schedule.job_id(due_since(shop, client, schedule, 60))
    Cron().do(shop)
    due = due_since(shop, client, schedule, 60)
    # As if its time were one later: the tick of the first job has been.
    later = due + 0.5
    client.zadd(TICKS, {"s": later})

    Cron().do(shop)
    Cron().do(shop)

    made = waiting(client)
    if overlap == "allow":
        assert made == [first, entry(shop).job]
        assert entry(shop).job != first
        return
    assert made == [first]
    assert (entry(shop).due > later) is (overlap == "skip")
    burst(shop, "reports")
    Cron().do(shop)
    assert len(waiting(client)) == (overlap == "queue")


def test_jitter_puts_off_the_job_and_not_the_tick(shop: Postroom, client: Redis) -> None:
    schedule = scheduled(shop, jitter=1e9)
    due = due_since(shop, client, schedule, 60)
    Cron().do(shop)
    score = client.zscore("rq:scheduled:reports", schedule.job_id(due))
    assert score == pytest.approx(due + schedule.shift(due), abs=0.001)
    assert waiting(client) == []
    assert entry(shop).due == due + 60


def test_an_id_that_is_there_is_no_second_job_and_stops_nothing(shop: Postroom, client: Redis) -> None:
    schedule = scheduled(shop)
    due = due_since(shop, client, schedule, 60)
    client.hset(f"rq:job:{schedule.job_id(due)}", mapping={"status": "finished", "data": "[]"})
    Cron().do(shop)
    assert waiting(client) == []
    assert entry(shop).due == due + 60


def test_one_that_cannot_be_read_stops_no_other(shop: Postroom, client: Redis) -> None:
    schedule = scheduled(shop)
    due = due_since(shop, client, schedule, 60)
    client.hset("postroom:schedule:broken", mapping={"definition": "{", "digest": "d", "added": "1"})
    client.set("postroom:schedule:foreign", "oops")
    client.zadd(TICKS, {"broken": 1, "foreign": 2})
    with pytest.raises((ConfigError, ScriptFailed)):
        Cron().do(shop)
    assert waiting(client) == [schedule.job_id(due)]
    client.zrem(TICKS, "foreign")
    with pytest.raises(ConfigError, match=r"'broken'.*cannot be read"):
        Cron().do(shop)


def test_a_deploy_of_another_version_does_not_flap(shop: Postroom, client: Redis, server: Server) -> None:
    new = Postroom(server.url)
    scheduled(shop, args=("old",))
    old_duty, new_duty = Declare(), Declare()
    old_duty.do(shop)
    assert old_duty.every == BEAT
    first = entry(shop).due
    new.schedule("report", every=60, name="s", args=("new",))

    new_duty.do(new)
    for _ in range(3):
        old_duty.do(shop)
        new_duty.do(new)
    assert entry(shop).schedule.args == ["new"]
    assert entry(shop).due == first  # the calendar is the same

    # The new ones were a mistake, and are gone: their last word is older than a minute.
    digest = new.schedules["s"].digest
    client.hincrbyfloat("postroom:schedule:s", f"declared:{digest}", -timetable.LIVES)
    old_duty.do(shop)
    assert entry(shop).schedule.args == ["old"]
    new.broker.close()


def test_the_older_version_says_once_that_it_does_not_count(
    shop: Postroom, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    scheduled(shop, args=("old",))
    new = Postroom(server.url)
    new.schedule("report", every=60, name="s", args=("new",))
    Declare().do(new)
    duty = Declare()
    with caplog.at_level(logging.INFO, "postroom"):
        duty.do(shop)
        duty.do(shop)
    assert [record.message for record in caplog.records if "another version" in record.message] == [
        "schedule s: another version of the code has another, and that one counts"
    ]
    new.broker.close()


def test_another_calendar_sets_the_next_tick_anew(shop: Postroom, client: Redis, server: Server) -> None:
    schedule = scheduled(shop)
    due_since(shop, client, schedule, 3_600)
    new = Postroom(server.url)
    new.schedule("report", "@daily", name="s")
    Declare().do(new)
    now = shop.broker.run(calls.server_time())
    assert entry(shop).due == new.schedules["s"].after(now)
    new.broker.close()


def test_what_is_in_no_code_any_more_does_not_tick(shop: Postroom, client: Redis, server: Server) -> None:
    schedule = scheduled(shop)
    due_since(shop, client, schedule, 60)
    client.hincrbyfloat("postroom:schedule:s", f"declared:{schedule.digest}", -timetable.LIVES)
    other = Postroom(server.url)
    Cron().do(other)
    assert waiting(client) == []
    assert entry(shop).state(time.time()) == "undeclared"

    # Whoever has it in its code lets it tick wherever the duties are done.
    Declare().do(shop)
    Cron().do(other)
    assert len(waiting(client)) == 1
    other.broker.close()


def test_only_who_declares_schedules_says_so(app: Postroom) -> None:
    assert not any(isinstance(duty, Declare) for duty in duties(app))
    app.schedule("t", every=60)
    assert isinstance(duties(app)[0], Declare)


SHOP = """
from datetime import timedelta
from postroom import Postroom
app = Postroom()

@app.cron(every=timedelta(seconds=1), queue="reports", result_ttl=60)
def report():
    pass
"""


def test_workers_go_on_when_the_scheduler_dies(program: Program, client: Redis) -> None:
    """Not only ticks: all duties are done by whoever lives, and none waits for another to be given up."""
    program.write("shop.py", SHOP)
    scheduler = program.start("-m", "postroom", "scheduler", "shop:app")
    until(lambda: client.hget("postroom:schedule:shop.report", "last"))
    worker = program.worker("shop:app")
    last = float(client.hget("postroom:schedule:shop.report", "last"))
    scheduler.kill()
    killed = time.time()
    seen = until(lambda: _later(client, last))
    assert seen >= last + 1
    assert time.time() - killed < 2 + 1  # its time had to come, a second at most
    # And the tick after the next was made at its time, not made up for.
    after = until(lambda: _later(client, seen))
    assert time.time() - after < 2
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0


def _later(client: Redis, than: float) -> float | None:
    last = float(client.hget("postroom:schedule:shop.report", "last"))
    return last if last > than else None


def test_a_scheduler_that_stood_still_sets_nothing_back(program: Program, client: Redis) -> None:
    program.write("shop.py", SHOP)
    schedulers = [program.start("-m", "postroom", "scheduler", "shop:app") for _ in range(2)]
    until(lambda: client.hget("postroom:schedule:shop.report", "last"))
    os.kill(schedulers[0].pid, signal.SIGSTOP)
    time.sleep(2.5)
    before = client.zscore(TICKS, "shop.report")
    os.kill(schedulers[0].pid, signal.SIGCONT)
    time.sleep(1.2)
    assert client.zscore(TICKS, "shop.report") > before
    made = waiting(client)
    assert len(made) == len(set(made))
    known = [json.loads(client.hget(f"rq:job:{job_id}", "p:trace")) for job_id in made]
    assert {json.loads(one["postroom-tick"])["name"] for one in known} == {"shop.report"}
