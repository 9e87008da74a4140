"""The rules on a real server: each of the kinds fires once, and says when it is over."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis
from rq import Queue, Worker

from postroom import Postroom
from postroom.monitor.alerts import duties
from postroom.monitor.alerts.duties import deliver, judge
from postroom.monitor.alerts.measure import Measured, measure
from postroom.monitor.alerts.rules import Rule, Rules
from postroom.scheduler.recover import Recover
from tests.integration.alerts.conftest import Write
from tests.integration.alerts.receiver import Receiver
from tests.integration.programs import burst, until, working
from tests.servers import Server

Look = Callable[[Rules], list[bool]]


@pytest.fixture
def shop(app: Postroom) -> Postroom:
    """An app with a task that fails if it is told to."""

    @app.task(name="work", queue="q", retry=None)
    def work(fails: bool = False) -> None:
        if fails:
            raise ValueError

    return app


@pytest.fixture
def look(app: Postroom) -> Look:
    """Judge and deliver once; which rules fire."""

    def looked(rules: Rules) -> list[bool]:
        judged = judge(app, rules)
        deliver(app, rules)
        return [state.firing for _, state in judged]

    return looked


def test_dead_letters_in_a_window(shop: Postroom, write: Write, look: Look, receiver: Receiver) -> None:
    rules = write(
        '[[rule]]\nname="some"\ndead=2\nwithin="2s"\nqueue="q"\ncalm="0s"\n'
        '[[rule]]\nname="elsewhere"\ndead=1\nwithin="1h"\nqueue="other"\n'
        '[[rule]]\nname="anywhere"\ndead=2\nwithin="1h"\n'
    )
    shop.enqueue("work", True, queue="q")
    burst(shop, "q")
    assert look(rules) == [False, False, False]
    shop.enqueue("work", True, queue="q")
    burst(shop, "q")
    for _ in range(3):
        assert look(rules) == [True, False, True]
    assert sorted(got.event["data"]["rule"] for got in receiver.got) == ["anywhere", "some"]
    until(lambda: look(rules) == [False, False, True])
    (over,) = [got for got in receiver.got if got.state == "over"]
    assert over.event["data"]["rule"] == "some"
    assert len(receiver.got) == 3


def test_many_entries_of_the_record(app: Postroom, client: redis.Redis) -> None:
    for _ in range(1_201):
        client.xadd("postroom:dead", {"queue": "q", "jobs": '["a"]'})
    client.xadd("postroom:dead", {"something": "else"})
    client.xadd("postroom:dead", {"queue": "q", "jobs": "{"})
    now = time.time() + 1

    def found(limit: int) -> Measured:
        return measure(app.broker, Rule("r", "dead", limit, within=3_600), now)

    assert (found(1_201).bad, found(1_201).value) == (True, 1_201)
    assert (found(1_202).bad, found(1_202).value) == (False, 1_201)


def test_the_oldest_job_of_a_queue(shop: Postroom, write: Write, look: Look, receiver: Receiver) -> None:
    rules = write(
        '[[rule]]\nname="q"\noldest="1s"\nqueue="q"\ncalm="0s"\n'
        '[[rule]]\nname="any"\noldest="1s"\ncalm="0s"\n[[rule]]\nname="other"\noldest="1s"\nqueue="other"\n'
    )
    assert look(rules) == [False, False, False]
    shop.enqueue("work", queue="q").cancel()
    shop.enqueue("work", queue="q")
    assert look(rules) == [False, False, False]
    until(lambda: look(rules) == [True, True, False])
    burst(shop, "q")
    for _ in range(2):
        assert look(rules) == [False, False, False]
    assert sorted(receiver.states) == ["firing", "firing", "over", "over"]
    assert "a job has waited in queue q for 1" in receiver.got[0].event["data"]["text"]


def test_no_live_worker(shop: Postroom, write: Write, look: Look, receiver: Receiver, client: redis.Redis) -> None:
    rules = write(
        '[[rule]]\nname="q"\nno_worker="1s"\nqueue="q"\ncalm="0s"\n[[rule]]\nname="any"\nno_worker="1s"\ncalm="0s"\n'
    )
    assert look(rules) == [False, False]
    until(lambda: look(rules) == [True, False])
    shop.enqueue("work", queue="q")
    until(lambda: look(rules) == [True, True])
    assert receiver.got[0].event["data"]["text"] == "q: no live worker takes queue q"
    with working(shop, "q"):
        until(lambda: look(rules) == [False, False] and not client.llen("rq:queue:q"))
    assert sorted(receiver.states) == ["firing", "firing", "over", "over"]
    until(lambda: look(rules) == [True, False])


def test_jobs_that_expire(shop: Postroom, write: Write, look: Look, receiver: Receiver) -> None:
    rules = write(
        '[[rule]]\nname="late"\nexpired=2\nwithin="5m"\nqueue="q"\n'
        '[[rule]]\nname="other"\nexpired=1\nwithin="5m"\nqueue="other"\n'
    )
    shop.using("not-yet", queue="q", deadline=0.001).enqueue_many([()] * 2)
    assert look(rules) == [False, False]
    burst(shop, "q")
    assert look(rules) == [True, False]
    (fired,) = receiver.got
    assert fired.event["data"]["text"] == "late: 2 jobs have expired in queue q within 5 m"


def test_jobs_that_wait_for_other_code(
    shop: Postroom, write: Write, look: Look, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = write(
        '[[rule]]\nname="q"\nneeds_upgrade="1s"\nqueue="q"\ncalm="0s"\n'
        '[[rule]]\nname="other"\nneeds_upgrade="1s"\nqueue="other"\n'
    )
    job = shop.enqueue("not-yet", queue="q")
    assert look(rules) == [False, False]
    monkeypatch.setattr(shop, "settings", replace(shop.settings, unknown_task_ttl=86_400))
    burst(shop, "q")
    until(lambda: look(rules) == [True, False])
    (fired,) = receiver.got
    assert fired.event["data"]["text"] == "q: 1 job waits for code that no live worker has, in queue q"
    assert fired.event["data"]["value"] == 1
    job.cancel()
    assert look(rules) == [False, False]
    assert receiver.states == ["firing", "over"]


def test_rqs_own_worker_is_one(app: Postroom, client: redis.Redis) -> None:
    rule = Rule("r", "no_worker", 1, queue="q")
    assert measure(app.broker, rule, time.time()).bad
    worker = Worker([Queue("q", connection=client)], connection=client)
    worker.register_birth()  # type: ignore[no-untyped-call]
    assert not measure(app.broker, rule, time.time()).bad
    worker.register_death()  # type: ignore[no-untyped-call]
    assert measure(app.broker, rule, time.time()).bad


def test_the_scheduler_is_silent(app: Postroom, write: Write, look: Look, receiver: Receiver) -> None:
    rules = write('[[rule]]\nname="silent"\nscheduler_silent="1s"\ncalm="0s"\n')
    Recover().do(app)
    assert look(rules) == [False]
    until(lambda: look(rules) == [True])
    assert look(rules) == [True]
    Recover().do(app)
    assert look(rules) == [False]
    assert receiver.states == ["firing", "over"]
    assert "the duties were done 1" in receiver.got[0].event["data"]["text"]


def test_a_condition_at_its_limit_is_told_once(
    app: Postroom, write: Write, look: Look, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = write('[[rule]]\nname="r"\noldest="1s"\n')
    for bad in (True, False) * 5:
        monkeypatch.setattr(duties, "measure", lambda *_, bad=bad: Measured(bad, "so"))
        assert look(rules) == [True]
    assert receiver.states == ["firing"]


def test_two_that_judge_at_once_tell_it_once(
    app: Postroom, write: Write, receiver: Receiver, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have seen the same state, and measured, before either changes it."""
    rules = write('[[rule]]\nname="r"\noldest="1s"\ncalm="0s"\n')
    other = Postroom(server.url)
    for bad in (True, False, True):
        both = threading.Barrier(2)

        def found(*_: Any, bad: bool = bad, both: threading.Barrier = both) -> Measured:
            both.wait(10)
            return Measured(bad, "so")

        monkeypatch.setattr(duties, "measure", found)
        threads = [threading.Thread(target=judge, args=(one, rules)) for one in (app, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        deliver(app, rules)
        deliver(other, rules)
    other.broker.close()
    assert receiver.states == ["firing", "over", "firing"]


def test_a_rule_that_cannot_be_judged_keeps_no_other_waiting(
    app: Postroom, write: Write, receiver: Receiver, client: redis.Redis
) -> None:
    rules = write(
        '[[rule]]\nname="dead"\ndead=1\nwithin="1h"\n[[rule]]\nname="silent"\nscheduler_silent="1s"\n',
    )
    client.set("postroom:dead", "foreign")
    with pytest.raises(Exception, match="WRONGTYPE"):
        judge(app, rules)
    deliver(app, rules)
    assert receiver.states == ["firing"]


def test_a_state_that_another_version_wrote_begins_anew(
    app: Postroom, write: Write, look: Look, receiver: Receiver, client: redis.Redis
) -> None:
    rules = write('[[rule]]\nname="r"\nscheduler_silent="1s"\n')
    client.hset("postroom:alerts", "r", '{"no": "state"}')
    client.hset("postroom:notices", "n", '{"no": "notice"}')
    assert look(rules) == [True]
    assert receiver.states == ["firing"]


def test_the_oldest_of_the_first_hundred(app: Postroom, client: redis.Redis) -> None:
    prepared = app.using("none", queue="q")
    canceled = prepared.enqueue_many([()] * 50)
    old = prepared.enqueue()
    for job_id in canceled:
        app.job(job_id).cancel()
    client.hset(f"rq:job:{old.id}", "enqueued_at", "2001-01-01T00:00:00.000000Z")
    client.lpush("rq:queue:q", prepared.enqueue().id)  # a younger one in front
    assert measure(app.broker, Rule("r", "oldest", 60), time.time()).bad


def test_another_rule_of_the_same_name_begins_anew(app: Postroom, write: Write, look: Look, receiver: Receiver) -> None:
    assert look(write('[[rule]]\nname="r"\nscheduler_silent="1s"\n')) == [True]
    assert look(write('[[rule]]\nname="r"\noldest="1s"\n')) == [False]
    assert receiver.states == ["firing"]
