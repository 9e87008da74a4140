"""Order per key on real workers: one job of a key at a time, in order of enqueue, whatever happens to the first."""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
import rq.job
from rq import Queue
from tenacity import stop_after_attempt, wait_fixed

from postroom import ConfigError, Discard, InvalidMessage, Job, Postroom, Retry, RetryLater, Snooze
from postroom.jobs import calls, timetable
from postroom.jobs.context import current
from postroom.monitor.dead import DeadLetters, Filter
from postroom.monitor.look import look_at_job, look_at_queue
from postroom.monitor.why import why_job, why_queue
from tests.integration.programs import Program, burst, until, working

Ran = list[str]
Say = Callable[..., Job[None]]
JOBS = """
import os, time
from postroom import Postroom

app = Postroom()

@app.task(queue="q")
def work(n):
    with open("ran", "a") as file:
        file.write(f"{n} {os.getpid()}\\n")
    while n == 0 and not os.path.exists("go"):
        time.sleep(0.01)
"""


@pytest.fixture
def ran() -> Ran:
    """What has run, in that order."""
    return []


@pytest.fixture
def say(app: Postroom, ran: Ran) -> Say:
    """Enqueue a job of the key k (or another, or none) on the queue q that says something."""

    @app.task(name="say", queue="q", retry=Retry(stop=stop_after_attempt(3), wait=wait_fixed(0.05)))
    def say(what: str, how: str = "") -> None:
        attempt = current.get().attempt
        ran.append(f"{what} {attempt}" if attempt > 1 else what)
        if how == "dead":
            raise Discard(what)
        if how == "again" and attempt == 1:
            raise ConnectionError(what)
        if how == "later" and attempt == 1:
            raise RetryLater(0.05)
        if how == "snooze" and ran.count(what) == 1:
            raise Snooze(0.05)

    def enqueue(what: str, how: str = "", **options: Any) -> Job[None]:
        return app.using("say", **{"queue": "q", "key": "k", **options}).enqueue(what, how)

    return enqueue


def nothing_remains(client: Any) -> bool:
    """No key, nobody who waits."""
    return not client.keys("postroom:key*") and not client.keys("rq:deferred:*")


@pytest.mark.parametrize("how", ["again", "later", "snooze", "dead"])
def test_who_is_first_keeps_the_key_until_it_has_ended(
    how: str, say: Say, app: Postroom, ran: Ran, client: Any
) -> None:
    for what, told in (("a", how), ("b", ""), ("c", "")):
        say(what, told, queue="q" if what != "b" else "r")
    with working(app, "q", "r", concurrency=4):
        until(lambda: "c" in ran)
        until(lambda: nothing_remains(client))
    again = {"again": ["a 2"], "later": ["a 2"], "snooze": ["a"], "dead": []}[how]
    assert ran == ["a", *again, "b", "c"]


def test_a_delay_holds_up_those_behind_and_nobody_else(say: Say, app: Postroom, ran: Ran) -> None:
    first, second, third = say("a", delay=0.4), say("b", delay=0.1), say("c")
    say("d", key="l")
    assert [job.status() for job in (first, second, third)] == ["scheduled", "deferred", "deferred"]
    with working(app, "q", concurrency=4):
        third.result(10)
    assert ran == ["d", "a", "b", "c"]


def test_a_function_of_the_arguments_makes_the_key(app: Postroom, client: Any) -> None:
    @app.task(name="move", key=lambda customer, what: f"customer-{customer}" if customer else None)
    def move(customer: int, what: str) -> None: ...

    jobs = move.enqueue_many([(7, "a"), (8, "a"), (0, "a"), (7, "b"), (0, "b")])
    assert [app.job(job_id).status() for job_id in jobs] == ["queued", "queued", "queued", "deferred", "queued"]
    assert move.enqueue(8, what="b").status() == "deferred"
    assert move.using(key=None).enqueue(8, "c").status() == "queued"
    assert client.zrange("postroom:key:customer-7", 0, -1) == [jobs[0].encode(), jobs[3].encode()]
    with pytest.raises(InvalidMessage, match="missing a required argument"):
        app.enqueue("move", 7)
    with pytest.raises(ConfigError, match=r"key='customer-\{id\}' has a brace"):
        app.task(name="forgot", key="customer-{id}")(lambda: None)
    burst(app)
    assert nothing_remains(client)


def test_canceled_or_deleted_those_behind_follow(say: Say, app: Postroom, ran: Ran) -> None:
    jobs = [say(what) for what in "abcde"]
    assert jobs[2].cancel()
    assert jobs[0].cancel()
    assert jobs[1].status() == "queued"
    assert jobs[1].delete()
    assert [job.status() for job in jobs] == ["canceled", None, "canceled", "queued", "deferred"]
    burst(app, "q")
    assert ran == ["d", "e"]


def test_canceled_while_it_runs_it_keeps_the_key_until_it_has_let_go(app: Postroom, client: Any) -> None:
    begun, go = threading.Event(), threading.Event()

    @app.task(name="deaf", key="k")
    def deaf() -> None:
        begun.set()
        go.wait(10)

    first, second = deaf.enqueue(), deaf.enqueue()
    with working(app, concurrency=2):
        assert begun.wait(10)
        assert first.cancel()
        app.broker.run(calls.follow(app.keys, -60, 10))
        assert second.status() == "deferred"
        said = why_job(look_at_job(app.broker, second.id))
        assert (said.state, said.sentence.endswith(f"by job {first.id}, which was canceled; 1 job is before it.")) == (
            "key",
            True,
        )
        go.set()
        second.result(10)
    assert nothing_remains(client)


def test_a_redriven_one_goes_to_the_end_and_undo_takes_it_out(say: Say, app: Postroom, ran: Ran, client: Any) -> None:
    dead = say("a", "dead")
    burst(app, "q")
    desk = DeadLetters(app)
    say("b"), say("c")
    assert desk.redrive(Filter()).count == 1
    assert dead.status() == "deferred"
    undone = desk.undo()
    assert undone is not None
    assert undone.count == 1
    assert dead.status() == "failed"
    desk.redrive([dead.id])
    burst(app, "q")
    assert ran == ["a", "b", "c", "a"]
    assert nothing_remains(client)


def test_what_rqs_tools_do_to_the_first_one_is_seen_by_a_duty(say: Say, app: Postroom, client: redis.Redis) -> None:
    jobs = [say(what) for what in "abc"]
    for gone, follower, end in ((0, 1, "delete"), (1, 2, "cancel")):
        getattr(rq.job.Job.fetch(jobs[gone].id, client, serializer="json"), end)()
        assert jobs[follower].status() == "deferred"
        app.broker.run(calls.follow(app.keys, -60, 10))
        assert jobs[follower].status() == "queued"
    assert Queue("q", connection=client, serializer="json").job_ids == [jobs[2].id]


def test_rqs_tools_see_who_waits_and_requeue_past_the_line(say: Say, app: Postroom, ran: Ran, client: Any) -> None:
    dead = say("a", "dead")
    burst(app, "q")
    first, second = say("b"), say("c")
    queue = Queue("q", connection=client, serializer="json")
    assert queue.deferred_job_registry.get_job_ids() == [second.id]
    rq.job.Job.fetch(dead.id, client, serializer="json").requeue(at_front=True)
    burst(app, "q")
    assert ran == ["a", "b", "c", "a"]
    assert first.status() == second.status() == "finished"


def test_why_and_the_counts_tell_of_those_that_wait(say: Say, app: Postroom) -> None:
    first, _, third = say("a"), say("b", queue="r"), say("c")
    said = why_job(look_at_job(app.broker, third.id))
    assert said.state == "key"
    assert said.sentence.startswith(f"Job {third.id} waits for its key k, held for ")
    assert said.sentence.endswith(f" by job {first.id}, which is queued; 2 jobs are before it.")
    facts = look_at_queue(app.broker, "q")
    assert facts is not None
    assert (facts.waiting, facts.deferred) == (1, 1)
    assert "1 more waits for a key, a limit or other jobs; no live worker" in why_queue(facts).sentence
    facts = look_at_queue(app.broker, "r")
    assert facts is not None
    assert why_queue(facts).sentence.startswith("Queue r: 1 job waits for a key, a limit or other jobs;")


def test_the_record_tells_each_turn_once(say: Say, app: Postroom) -> None:
    list(app.events(since=0, follow=False))  # from now on they are recorded
    first, second, third = say("a"), say("b"), say("c", delay=0.05)
    with working(app, "q"):
        third.result(10)
    told: dict[str, list[str]] = {job.id: [] for job in (first, second, third)}
    for event in app.events(since=0, follow=False):
        for job_id in event.jobs:
            told[job_id].append(event.event)
    assert told[first.id] == ["enqueued", "started", "finished"]
    assert told[second.id] == ["deferred", "enqueued", "started", "finished"]
    assert told[third.id] in (
        ["deferred", "enqueued", "started", "finished"],
        ["deferred", "scheduled", "enqueued", "started", "finished"],
    )


def test_a_tick_has_the_key_of_its_schedule(app: Postroom, client: Any) -> None:
    @app.cron(every=1, key=lambda: "k", name="tick")
    def tick() -> None: ...

    with working(app, "other"):
        app.using("tick", key="k", queue="nobodys").enqueue()
        declare(app)
        until(lambda: client.zcard("postroom:key:k") > 1)
    assert client.zcard("rq:deferred:default") >= 1
    assert client.llen("rq:queue:default") == 0


def declare(app: Postroom) -> None:
    """As a process does that has the schedules in its code."""
    from_now = app.broker.run(calls.server_time())
    for one in app.schedules.values():
        app.broker.run(timetable.declare(app.keys, one, one.after(from_now)))


def test_a_killed_worker_leaves_the_key_to_the_job_that_it_had(program: Program, client: Any) -> None:
    program.write("jobs.py", JOBS)
    app = Postroom(program.url)
    for n in range(4):
        app.using("jobs.work", queue="q", key="k").enqueue(n)
    program.worker("jobs:app", "-p", "2", "-c", "4")
    path = program.folder / "ran"
    pid = int(until(lambda: path.exists() and path.read_text()).split()[1])
    os.kill(pid, signal.SIGKILL)
    until(lambda: path.read_text().count("\n") == 2)
    time.sleep(0.2)
    (program.folder / "go").touch()
    until(lambda: path.read_text().count("\n") == 5)
    assert [line.split()[0] for line in path.read_text().splitlines()] == ["0", "0", "1", "2", "3"]
    until(lambda: nothing_remains(client))
    app.broker.close()
