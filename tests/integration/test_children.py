"""Cancellation on real workers: what a canceled job has enqueued does not go on."""

import asyncio
import threading
import time
from typing import Any

import pytest

from postroom import ParentCanceled, Postroom
from postroom.jobs import calls
from postroom.jobs.context import current
from postroom.jobs.errors import JobInterrupted
from postroom.jobs.options import OptionFields
from postroom.scheduler.uproot import Uproot
from tests.integration.programs import burst, until, working

HOW: tuple[OptionFields, ...] = (
    {"queue": "later"},
    {"queue": "later", "key": "k"},
    {"queue": "later", "detached": True},
)


def family(app: Postroom, client: Any) -> dict[str, str]:
    """A tree that waits: a job, two children, and two grandchildren of each, by name."""
    found: dict[str, str] = {}

    @app.task(name="grow", queue="q")
    def grow(name: str, deep: int) -> None:
        for n in range(2 if deep else 0):
            queue = "q" if deep == 2 else "later"
            found[f"{name}{n}"] = grow.using(queue=queue).enqueue(f"{name}{n}", deep - 1).id
        if name == "r0":
            grow.using(detached=True, queue="later", job_id="free").enqueue("free", 0)

    found["r"] = grow.enqueue("r", 2).id
    burst(app, "q")
    assert client.smembers(f"postroom:children:{found['r0']}") == {found["r00"].encode(), found["r01"].encode()}
    assert not client.exists(f"postroom:children:{found['r']}"), "they have ended"
    return found


def statuses(app: Postroom, ids: dict[str, str]) -> dict[str, str | None]:
    """By name."""
    return {name: app.job(job_id).status() for name, job_id in ids.items()}


def test_children_of_a_job_that_has_ended_are_canceled(app: Postroom, client: Any) -> None:
    ids = family(app, client)
    assert not app.job(ids["r0"]).cancel(), "it has finished itself"
    found = statuses(app, ids)
    assert {name for name, status in found.items() if status == "canceled"} == {"r00", "r01"}
    assert app.job("free").status() == "queued"
    assert asyncio.run(app.job(ids["r1"]).acancel()) is False
    assert statuses(app, ids)["r11"] == "canceled"
    assert not client.keys("postroom:children:*")
    assert not client.exists("postroom:doomed")


def test_a_whole_tree_is_canceled_that_waits_and_runs(app: Postroom, client: Any) -> None:
    stopped, ids, began = list[str](), dict[str, str](), threading.Barrier(3)

    @app.task(name="branch", queue="q")
    def branch(name: str, deep: int) -> None:
        ids[name] = current.get().id
        if deep:
            branch.enqueue(f"{name}0", deep - 1)
            ids[f"{name} waits"] = branch.using(delay=3600).enqueue("", 0).id
        began.wait(5)
        try:
            while True:
                time.sleep(0.005)
        except BaseException:
            stopped.append(name)
            raise

    with working(app, "q", concurrency=4):
        job = branch.enqueue("r", 1)
        began.wait(5)
        assert job.cancel()
        until(lambda: len(stopped) == 2, 5)
    assert set(statuses(app, ids).values()) == {"canceled"}
    assert len(ids) == 3
    assert client.zcard("rq:scheduled:q") == 0


def test_who_is_canceled_enqueues_nothing_more(app: Postroom, client: Any) -> None:
    raised, go = list[ParentCanceled](), threading.Event()

    @app.task(name="deaf", queue="q")
    def deaf() -> None:
        try:
            for _ in range(500):
                time.sleep(0.01)
        except JobInterrupted:  # it does not want to hear
            raised.append(ParentCanceled("heard"))
        for how in HOW:
            try:
                app.using("work", **how).enqueue()
            except ParentCanceled as error:
                raised.append(error)
        go.set()

    with working(app, "q"):
        job = deaf.enqueue()
        until(lambda: job.status() == "started")
        job.cancel()
        assert go.wait(10)
    assert [error.parent_id for error in raised] == ["heard", job.id, job.id]
    assert str(raised[1]).startswith(f"job {job.id}, which enqueues this, was canceled: ")
    assert client.llen("rq:queue:later") == 1, "the detached one"


def test_children_may_be_left_alone(app: Postroom, client: Any) -> None:
    ids = family(app, client)
    app.job(ids["r0"]).cancel(children=False)
    assert statuses(app, ids)["r00"] == "queued"


def test_a_duty_ends_what_was_begun(app: Postroom, client: Any) -> None:
    ids = family(app, client)
    # Whoever canceled it was killed after its first call.
    app.broker.run(calls.cancel(app.keys, ids["r0"]))
    assert statuses(app, ids)["r00"] == "queued"
    Uproot().do(app)
    assert statuses(app, ids)["r00"] == "canceled"
    assert not client.exists("postroom:doomed")


def test_many_children(app: Postroom, client: Any) -> None:
    @app.task(name="many", queue="q")
    def many() -> None:
        app.using("work", queue="later").enqueue_many([()] * 1_500)

    job = many.enqueue()
    burst(app, "q")
    assert client.scard(f"postroom:children:{job.id}") == 1_500
    job.cancel()
    assert client.zcard("rq:canceled:later") == 1_500


@pytest.mark.parametrize("how", ["finished", "failed"])
def test_a_child_that_has_ended_is_forgotten(app: Postroom, client: Any, how: str) -> None:
    @app.task(name="leaf", queue="later")
    def leaf() -> None:
        if how == "failed":
            raise ValueError(how)

    @app.task(name="root", queue="q")
    def root() -> None:
        leaf.enqueue()

    root.enqueue()
    burst(app, "q")
    assert len(client.keys("postroom:children:*")) == 1
    burst(app, "later")
    assert client.keys("postroom:children:*") == []
