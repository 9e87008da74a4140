"""Events on a real server: what is told, to whom, what is missed, and what it costs where nobody listens."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from postroom import Event, Postroom, Unavailable
from postroom.jobs import calls, events
from postroom.jobs.errors import ScriptFailed
from postroom.scheduler.retain import Retain
from tests.integration.programs import burst, until
from tests.servers import Server


@pytest.fixture
def shop(app: Postroom) -> Postroom:
    """An app with tasks, whose record is kept."""

    @app.task(name="send", queue="mail")
    def send(order: int) -> int:
        return order

    @app.task(name="fail", queue="mail", retry=None)
    def fail() -> None:
        raise ValueError("no")

    assert recorded(app) == []
    return app


def recorded(app: Postroom, **which: Any) -> list[Event]:
    """What is on the record."""
    return list(app.events(since=0, follow=False, **which))


@contextmanager
def hearing(app: Postroom, **which: Any) -> Iterator[list[Event]]:
    """What a listener in a thread hears from now on."""
    heard: list[Event] = []
    enough = threading.Event()

    def listen() -> None:
        for event in app.events(**which):
            heard.append(event)
            if enough.is_set():
                return

    thread = threading.Thread(target=listen)
    with app.broker.client() as client:
        before = int(client.info("commandstats").get("cmdstat_xread", {}).get("calls", 0))
        thread.start()
        until(lambda: client.info("commandstats").get("cmdstat_xread", {}).get("calls", 0) > before)
        yield heard
        enough.set()
        app.enqueue("none", queue="the-end")
        thread.join(20)
    assert not thread.is_alive()


def names(found: list[Event], job_id: str) -> list[str]:
    """What happened to a job."""
    return [event.event for event in found if job_id in event.jobs]


def test_a_jobs_life(shop: Postroom) -> None:
    good, bad = shop.enqueue("send", 7, queue="mail"), shop.enqueue("fail", queue="mail")
    gone = shop.enqueue("send", 8, queue="mail")
    gone.cancel()
    later = shop.enqueue("send", 9, queue="mail", delay=60)
    shop.queue("other").pause()
    shop.queue("other").pause()
    shop.queue("other").resume()
    burst(shop, "mail")
    found = recorded(shop)
    assert names(found, good.id) == ["enqueued", "started", "finished"]
    assert names(found, bad.id) == ["enqueued", "started", "buried"]
    assert names(found, gone.id) == ["enqueued", "canceled"]
    assert names(found, later.id) == ["scheduled"]
    rest = [(event.event, event.queue) for event in found if not event.jobs]
    assert rest == [("paused", "other"), ("resumed", "other"), ("worker-up", ""), ("worker-down", "")]
    (worker,) = {event.worker for event in found} - {""}
    assert all(
        event.worker == worker for event in found if event.event in {"started", "finished", "buried", "worker-up"}
    )
    assert [event.at for event in found] == sorted(event.at for event in found)


def test_filters(shop: Postroom) -> None:
    good, bad = shop.enqueue("send", 7, queue="mail"), shop.enqueue("fail", queue="mail")
    shop.enqueue("send", 8, queue="post")
    burst(shop, "mail")
    assert {event.queue for event in recorded(shop, queue="post")} == {"post"}
    assert {event.event for event in recorded(shop, events=["finished"])} == {"finished"}
    told = recorded(shop, task="send", queue="mail")
    assert {job_id for event in told for job_id in event.jobs} == {good.id}
    assert [event.event for event in told] == ["enqueued", "started", "finished"]
    assert names(recorded(shop, task="fail"), bad.id) == ["enqueued", "started", "buried"]
    good.delete()
    assert recorded(shop, task="send", queue="mail") == []


def test_burials_are_kept_though_nobody_listened(app: Postroom, client: redis.Redis) -> None:
    @app.task(name="fail", queue="mail", retry=None)
    def fail() -> None:
        raise ValueError("no")

    job = app.enqueue("fail", queue="mail")
    burst(app, "mail")
    assert [event.jobs for event in recorded(app, events=["buried"])] == [(job.id,)]
    assert not client.exists("postroom:recording")


def test_one_entry_for_a_batch(shop: Postroom, client: redis.Redis) -> None:
    ids = shop.tasks["send"].prepared.enqueue_many([(n,) for n in range(300)])
    assert [event.jobs for event in recorded(shop)] == [tuple(ids)]


def test_a_subscription_goes_on_where_another_ended(shop: Postroom) -> None:
    first = shop.enqueue("send", 1, queue="mail")
    (seen,) = recorded(shop)
    second = shop.enqueue("send", 2, queue="mail")
    assert seen.jobs == (first.id,)
    assert [event.jobs for event in shop.events(since=seen.id, follow=False)] == [(second.id,)]
    assert [event.jobs for event in shop.events(since=seen.at, follow=False)] == [(first.id,), (second.id,)]
    assert list(shop.events(follow=False)) == []


def test_connections_that_are_killed_cost_no_event_and_double_none(shop: Postroom, client: redis.Redis) -> None:
    with hearing(shop, events=["enqueued"]) as heard:
        ids = []
        for n in range(60):
            ids.append(shop.enqueue("send", n, queue="mail").id)
            if n % 10 == 5:
                client.client_kill_filter(_type="normal", skipme=True)
        until(lambda: len(heard) >= 60)
        assert [job_id for event in heard for job_id in event.jobs] == ids


def test_a_server_that_is_away_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    with Server(aof=True) as server:
        app = Postroom(server.url, deadline=0.5)
        with hearing(app) as heard:
            before = app.enqueue("send", 1, queue="mail")
            until(lambda: heard)
            server.kill()
            until(lambda: "no events are heard" in caplog.text)
            server.start()
            after = app.enqueue("send", 2, queue="mail")
            until(lambda: len(heard) > 1)
            assert [event.jobs for event in heard[:2]] == [(before.id,), (after.id,)]
        app.broker.close()


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(Unavailable):
        next(iter(Postroom("redis://127.0.0.1:1", deadline=0.2).events()))


def test_something_else_in_the_records_place(app: Postroom, client: redis.Redis) -> None:
    client.set("postroom:record", "oops")
    with pytest.raises(ScriptFailed, match="WRONGTYPE"):
        next(iter(app.events()))
    job = app.enqueue("send", 1, queue="mail")
    assert job.status() == "queued"


def test_what_was_trimmed_beneath_is_a_gap(shop: Postroom, client: redis.Redis) -> None:
    for n in range(3):
        shop.enqueue("send", n, queue="mail")
    listener = iter(shop.events(since=0))
    seen = [next(listener) for _ in range(3)]
    for n in range(5):
        shop.enqueue("send", n, queue="mail")
    client.xtrim("postroom:record", maxlen=2, approximate=False)
    gap = next(listener)
    assert (gap.event, gap.missed, gap.id) == ("gap", 3, seen[-1].id)
    assert [next(listener).event for _ in range(2)] == ["enqueued", "enqueued"]
    listener.close()  # type: ignore[attr-defined]


def test_a_listener_that_was_away_too_long_hears_of_a_gap(shop: Postroom, client: redis.Redis) -> None:
    listener = iter(shop.events(since=0))
    first = shop.enqueue("send", 1, queue="mail")
    assert next(listener).jobs == (first.id,)
    client.delete("postroom:recording")  # its time is over
    time.sleep(0.05)  # what is shorter than a millisecond is not seen
    shop.enqueue("send", 2, queue="mail")
    last = threading.Timer(1.0, lambda: shop.enqueue("send", 3, queue="mail"))
    last.start()
    gap, then = next(listener), next(listener)
    last.join()
    assert (gap.event, gap.missed, then.event) == ("gap", None, "enqueued")
    listener.close()  # type: ignore[attr-defined]


def test_the_record_is_bounded_in_bytes_however_slow_its_listener(
    shop: Postroom, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroom.scheduler.retain.RECORD_BYTES", 100_000)
    listener = iter(shop.events(since=0))
    shop.enqueue("send", 0, queue="mail")
    next(listener)
    many = shop.tasks["send"].prepared.enqueue_many
    for _ in range(20):
        many([(n,) for n in range(500)])
    for n in range(500):
        shop.enqueue("send", n, queue="mail")
    assert (client.memory_usage("postroom:record", samples=0) or 0) > 250_000
    Retain().do(shop)
    Retain().do(shop)
    assert (client.memory_usage("postroom:record", samples=0) or 0) < 120_000
    gap = next(listener)
    assert gap.event == "gap"
    assert gap.missed is not None
    assert gap.missed > 0
    rest = int(client.xlen("postroom:record"))
    assert gap.missed + rest == 520
    assert [next(listener).event for _ in range(rest)] == ["enqueued"] * rest
    listener.close()  # type: ignore[attr-defined]


def test_event_loops_hear_the_same(shop: Postroom) -> None:
    async def first(count: int) -> list[Event]:
        found = []
        async for event in shop.events(since=0):
            found.append(event)
            if len(found) == count:
                return found
        return found

    async def both() -> list[list[Event]]:
        listening = [asyncio.create_task(first(20)) for _ in range(20)]  # more than a loop has connections of the app's
        for n in range(20):
            await shop.using("send", queue="mail").aenqueue(n)
        async with asyncio.timeout(20):
            return list(await asyncio.gather(*listening))

    heard = asyncio.run(both())
    assert all(one == recorded(shop) for one in heard)


def test_a_loop_goes_on_after_its_connections_were_killed(shop: Postroom, client: redis.Redis) -> None:
    async def listen() -> list[Event]:
        found = []
        async for event in shop.events(since=0):
            found.append(event)
            await asyncio.to_thread(client.client_kill_filter, _type="normal", skipme=True)
            if len(found) == 3:
                return found
            await asyncio.to_thread(shop.enqueue, "send", 1, queue="mail")
        return found

    shop.enqueue("send", 0, queue="mail")
    heard = asyncio.run(asyncio.wait_for(listen(), 20))
    assert heard == recorded(shop)[:3]


def count(client: redis.Redis, act: Callable[[], object]) -> dict[str, int]:
    """How often each command is run by `act`, inside of scripts, too."""
    client.config_resetstat()
    act()
    stats = client.info("commandstats")
    return {name.removeprefix("cmdstat_"): int(found["calls"]) for name, found in stats.items()}


def test_who_does_not_listen_pays_one_look_for_a_script(app: Postroom, client: redis.Redis) -> None:
    app.task(name="send", queue="mail")(lambda order: order)

    def work() -> None:
        app.tasks["send"].prepared.enqueue_many([(n,) for n in range(400)])
        burst(app, "mail")

    off = count(client, work)
    assert "xadd" not in off
    recorded(app)
    on = count(client, work)
    # Per script one look; and enqueue looks for replays, complete for dependents: never once for a job.
    assert off["exists"] <= 2 * off["evalsha"]
    assert 4 <= on["xadd"] <= on["evalsha"] < 400


def test_on_and_asked(app: Postroom, server: Server, client: redis.Redis) -> None:
    Retain().do(app)
    assert not client.exists("postroom:recording")
    always = Postroom(server.url, events="on")
    Retain().do(always)
    always.broker.close()
    assert 0 < client.ttl("postroom:recording") <= events.KEPT
    job = app.enqueue("send", 1, queue="mail")
    assert names(recorded(app), job.id) == ["enqueued"]


def test_a_burst_of_releases_and_recoveries(shop: Postroom) -> None:
    ids = shop.tasks["send"].prepared.enqueue_many([(1,), (2,)])
    broker, keys = shop.broker, shop.keys
    broker.run(calls.join(keys, "w1", 12, {"mail": 0}))
    broker.run(calls.claim(keys, "mail", "w1", 1, 2, 12))
    broker.run(calls.settle("release", keys, "mail", "w1", [ids[0], 1]))
    broker.run(calls.recover(keys, "w1", resigned=True))
    assert names(recorded(shop), ids[0]) == ["enqueued", "started", "released"]
    assert names(recorded(shop), ids[1]) == ["enqueued", "started", "recovered"]
