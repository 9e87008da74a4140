"""Limits on real workers: never more at once, never more in a time, and nobody asks for what waits."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from rq import Queue
from tenacity import stop_after_attempt, wait_fixed

from postroom import ConfigError, Limit, Postroom, Retry
from postroom.jobs import calls
from postroom.jobs.limit_calls import mend
from postroom.monitor.look import look_at_job
from postroom.monitor.why import why_job
from tests.integration.programs import Program, until, working

WORK = """
import os, time
from postroom import Limit, Postroom

app = Postroom()

@app.task(name="hold", queue="q", limit=Limit(concurrency=1))
def hold(seconds):
    open("began", "a").write(f"{os.getpid()}\\n")
    time.sleep(seconds)
"""


class Crowd:
    """Counts who is there at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.there: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.began: list[float] = []

    def visit(self, who: str = "", seconds: float = 0.02) -> None:
        """Be there for a while."""
        with self._lock:
            self.began.append(time.monotonic())
            self.there[who] += 1
            self.most[who] = max(self.most[who], self.there[who])
        time.sleep(seconds)
        with self._lock:
            self.there[who] -= 1


@pytest.fixture
def crowd() -> Crowd:
    return Crowd()


def declare(app: Postroom, name: str, **declared: Any) -> None:
    """A task that does nothing."""

    def nothing() -> None: ...

    app.task(name=name, queue="q", **declared)(nothing)


def drained(app: Postroom, client: Any, crowd: Crowd, count: int, workers: int = 2) -> float:
    """Seconds that so many visits take; nothing of the limits is left then."""
    began = time.monotonic()
    with ExitStack() as stack:
        for _ in range(workers):
            stack.enter_context(working(app, "q", "r", concurrency=8))
        until(lambda: len(crowd.began) >= count and not client.zcard("rq:wip:q"))
        took = time.monotonic() - began
    assert not client.keys("postroom:limit:*"), "no place is taken"
    assert not client.keys("postroom:limited:*"), "nobody waits"
    return took


def test_never_more_at_once_over_all_workers_and_in_the_order_of_coming(
    app: Postroom, client: Any, crowd: Crowd
) -> None:
    ran = list[int]()

    @app.task(name="visit", queue="q", limit=Limit(concurrency=3))
    def visit(number: int) -> None:
        ran.append(number)
        crowd.visit()

    visit.enqueue_many([(number,) for number in range(60)])
    drained(app, client, crowd, 60)
    assert crowd.most[""] == 3
    assert all(abs(number - place) < 10 for place, number in enumerate(ran)), ran


def test_each_key_has_places_of_its_own_and_what_has_none_is_not_limited(
    app: Postroom, client: Any, crowd: Crowd
) -> None:
    @app.task(name="visit", queue="q", limit=Limit(concurrency=1, by=lambda who: f"c-{who}" if who else None))
    def visit(who: str) -> None:
        crowd.visit(who)

    visit.enqueue_many([(who,) for _ in range(10) for who in ("a", "b", "")])
    drained(app, client, crowd, 30)
    assert (crowd.most["a"], crowd.most["b"]) == (1, 1)
    assert crowd.most[""] > 1


def test_a_rate_spaces_them_and_a_burst_begins_at_once(app: Postroom, client: Any, crowd: Crowd) -> None:
    @app.task(name="visit", queue="q", limit=Limit(rate="20/s", burst=5))
    def visit() -> None:
        crowd.visit(seconds=0)

    visit.enqueue_many([()] * 25)
    drained(app, client, crowd, 25)
    began = sorted(crowd.began)
    assert began[4] - began[0] < 0.5
    assert began[-1] - began[0] > 0.95, "20 after the burst, one each 0.05 s"
    for first, start in enumerate(began):
        for number, later in enumerate(began[first:], 1):
            assert number <= 5 + 1 + (later - start + 0.02) / 0.05, "never more than the burst and what the time allows"


def test_a_limit_that_tasks_share_and_one_of_the_queue(app: Postroom, client: Any, crowd: Crowd) -> None:
    shared = Limit(name="crm", concurrency=2)
    app.limit_queue("r", Limit(concurrency=4))

    @app.task(name="one", queue="q", limit=shared)
    def one() -> None:
        crowd.visit("crm")

    @app.task(name="two", queue="q", limit=shared)
    def two() -> None:
        crowd.visit("crm")

    @app.task(name="free", queue="r")
    def free() -> None:
        crowd.visit("r")

    for name in ("one", "two", "free"):
        app.using(name).enqueue_many([()] * 20)
    drained(app, client, crowd, 60)
    assert (crowd.most["crm"], crowd.most["r"]) == (2, 4)


def test_whoever_enqueues_by_name_is_limited_too(app: Postroom, client: Any, crowd: Crowd) -> None:
    @app.task(name="visit", queue="q", limit=Limit(concurrency=1))
    def visit() -> None:
        crowd.visit()

    other = Postroom(app.broker.url)
    for _ in range(10):
        other.enqueue("visit", queue="q")
    with working(app, "q", concurrency=8):
        until(lambda: len(crowd.began) == 10)
    assert crowd.most[""] == 1
    other.broker.close()


def test_rqs_jobs_are_limited_by_their_queue(app: Postroom, client: Any, crowd: Crowd) -> None:
    app.limit_queue("q", Limit(concurrency=1))

    @app.task(name="visit", queue="q")
    def visit() -> None:
        crowd.visit()

    for _ in range(6):
        Queue("q", connection=client, serializer="json").enqueue("visit")
    drained(app, client, crowd, 6)
    assert crowd.most[""] == 1


def test_who_waits_for_another_attempt_has_no_place(app: Postroom, client: Any, crowd: Crowd) -> None:
    @app.task(
        name="visit",
        queue="q",
        limit=Limit(concurrency=1),
        retry=Retry(stop=stop_after_attempt(2), wait=wait_fixed(1.0)),
    )
    def visit(fails: bool) -> None:
        crowd.visit()
        if fails and len(crowd.began) < 3:
            raise ConnectionError("as told")

    visit.enqueue(True)
    visit.enqueue_many([(False,)] * 10)
    drained(app, client, crowd, 12)
    assert crowd.most[""] == 1
    assert sorted(crowd.began)[10] - min(crowd.began) < 0.9, "the others went on meanwhile"


def test_nobody_asks_for_what_waits(app: Postroom, client: Any) -> None:
    go = threading.Event()

    @app.task(name="wait", queue="q", limit=Limit(concurrency=1))
    def wait() -> None:
        go.wait(20)

    wait.enqueue_many([()] * 1_000)
    with working(app, "q", concurrency=8, duties=False):
        until(lambda: client.zcard("postroom:limited:task:wait") == 999)
        time.sleep(0.5)
        before = client.info("stats")["total_commands_processed"]
        time.sleep(1)
        asked = client.info("stats")["total_commands_processed"] - before
        go.set()
        until(lambda: not client.zcard("postroom:limited:task:wait"))
    assert asked < 40, asked


def test_the_place_of_a_lost_worker_goes_to_the_next(program: Program, app: Postroom, client: Any) -> None:
    program.write("shop.py", WORK)
    pool = program.worker("shop:app", "q", "-c", "4")
    first, second = (app.enqueue("hold", seconds, queue="q") for seconds in (60, 0))
    began = program.folder / "began"
    until(began.exists)
    until(lambda: second.status() == "deferred")
    pool.signal_all(9)
    program.worker("shop:app", "q", "-c", "4")
    until(lambda: second.status() == "finished" or first.status() == "started", 30)
    first.cancel()
    assert second.result(timeout=20) is None


def test_what_rqs_tools_take_away_is_noticed(app: Postroom, client: Any, crowd: Crowd) -> None:
    @app.task(name="visit", queue="q", limit=Limit(concurrency=1))
    def visit() -> None:
        crowd.visit()

    with working(app, "q", duties=False):
        app.using("visit").enqueue().result(timeout=10)
    client.zadd("postroom:limit:task:visit", {"gone": 1})
    client.zadd("postroom:limits:busy", {"task:visit": 1})
    job = app.using("visit").enqueue()
    with working(app, "q", duties=False):
        until(lambda: job.status() == "deferred")
        app.broker.run(mend(app.keys, 10, 500))
        assert job.result(timeout=10) is None


@pytest.mark.parametrize("end", [lambda job: job.cancel(), lambda job: job.delete()])
def test_canceled_in_line(app: Postroom, client: Any, crowd: Crowd, end: Callable[[Any], Any]) -> None:
    @app.task(name="visit", queue="q", limit=Limit(concurrency=1))
    def visit() -> None:
        crowd.visit(seconds=0.3)

    jobs = [visit.enqueue() for _ in range(3)]
    with working(app, "q", concurrency=4):
        until(lambda: jobs[1].status() == "deferred" and jobs[2].status() == "deferred")
        assert end(jobs[1])
        jobs[2].result(timeout=10)
    assert len(crowd.began) == 2
    assert not client.keys("postroom:limit*:task:*")


def test_order_per_key_is_kept_in_a_limit(app: Postroom, client: Any, crowd: Crowd) -> None:
    ran: dict[str, list[int]] = {"a": [], "b": [], "c": []}

    @app.task(name="visit", queue="q", key=lambda who, _: who, limit=Limit(concurrency=2))
    def visit(who: str, number: int) -> None:
        ran[who].append(number)
        crowd.visit(who)
        crowd.there["all"] = 0

    for number in range(8):
        for who in ran:
            visit.enqueue(who, number)
    drained(app, client, crowd, 24)
    assert all(numbers == list(range(8)) for numbers in ran.values()), ran


def test_why_says_what_it_waits_for(app: Postroom, client: Any) -> None:
    go = threading.Event()

    @app.task(name="wait", queue="q", limit=Limit(concurrency=1, by=lambda who: who))
    def wait(who: str) -> None:
        go.wait(20)

    @app.task(name="paced", queue="q", limit=Limit(rate="1/h"))
    def paced() -> None: ...

    first, second = wait.enqueue("ann"), wait.enqueue("ann")
    paced.enqueue()
    third = paced.enqueue()
    with working(app, "q", concurrency=4):
        until(lambda: second.status() == "deferred" and third.status() == "deferred")
        held = why_job(look_at_job(app.broker, second.id))
        late = why_job(look_at_job(app.broker, third.id))
        go.set()
    assert held.state == late.state == "limited"
    assert "waits for its turn in the limit of task wait (ann): 1 of 1 place taken, job " in held.sentence
    assert first.id in held.sentence
    assert held.sentence.endswith("; 0 jobs are before it.") or ", 0 jobs are before it." in held.sentence
    assert "in the limit of task paced: the next may begin in " in late.sentence


def test_what_code_no_longer_says_is_forgotten(app: Postroom, client: Any) -> None:
    declare(app, "visit", limit=Limit(concurrency=1))
    with working(app, "q", duties=False):
        pass
    assert client.hget("postroom:limits", "task:visit") == b"1 0 1"
    newer = Postroom(app.broker.url)
    declare(newer, "visit")
    with working(newer, "q", duties=False):
        pass
    assert client.hget("postroom:limits", "task:visit") is None
    assert app.broker.run(calls.length(app.keys, "q")) == 0
    newer.broker.close()


def test_two_limits_of_one_name_must_say_the_same(app: Postroom) -> None:
    declare(app, "a", limit=Limit(name="crm", rate="5/s"))
    with pytest.raises(ConfigError, match="two limits are called 'crm'"):
        declare(app, "b", limit=Limit(name="crm", rate="6/s"))
    with pytest.raises(ConfigError, match="without name= and by="):
        app.limit_queue("q", Limit(name="crm", rate="5/s"))
    with pytest.raises(ConfigError, match="give a Limit, or a list of them"):
        declare(app, "c", limit="100/m")
