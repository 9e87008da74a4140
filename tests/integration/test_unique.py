"""Unique jobs on real workers: no second one while the lock of the first holds, and the lock goes with its job."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rq.job import Job as RQJob
from rq.serializers import JSONSerializer

from postroom import ConfigError, Discard, Job, Postroom
from postroom.monitor.dead import DeadLetters, Filter
from postroom.monitor.look import look_at_job
from postroom.monitor.why import why_job
from tests.integration.programs import burst

Say = Callable[..., Job[None]]


@pytest.fixture
def say(app: Postroom) -> Say:
    """Enqueue a job on the queue q; "dead" becomes a dead letter."""

    @app.task(name="say", queue="q")
    def say(what: str = "", **_: int) -> None:
        if what == "dead":
            raise Discard(what)

    def enqueue(*args: Any, **options: Any) -> Job[None]:
        return app.using("say", **{"queue": "q", "unique": "running", **options}).enqueue(*args)

    return enqueue


def test_a_duplicate_is_the_job_that_is_there(say: Say, app: Postroom) -> None:
    first = say("a")
    again, other = say("a"), say("b")
    assert (first.duplicate, again.duplicate, other.duplicate) == (False, True, False)
    assert (again, len(app.queue("q"))) == (first, 2)
    burst(app, "q")
    assert again.status() == "finished"
    assert not say("a").duplicate


@pytest.mark.parametrize("end", [Job.cancel, Job.delete])
def test_the_lock_goes_with_its_job(end: Callable[[Job[None]], object], say: Say) -> None:
    first = say("a", unique="success")
    end(first)
    assert not say("a", unique="success").duplicate


def test_the_lock_goes_with_a_job_that_rq_deleted(say: Say, client: Any) -> None:
    RQJob.fetch(say("a").id, connection=client, serializer=JSONSerializer).delete()
    assert not say("a").duplicate


def test_a_dead_letter_holds_until_success_or_purge(say: Say, app: Postroom) -> None:
    first = say("dead", unique="success")
    burst(app, "q")
    assert (first.status(), say("dead", unique="success")) == ("failed", first)
    DeadLetters(app).purge(Filter())
    assert not say("dead", unique="success").duplicate


def test_of_many_each_is_told_who_has_its_lock(say: Say, app: Postroom) -> None:
    many = app.using("say", queue="q", unique="running", unique_by=lambda what: what[0])
    ids = many.enqueue_many([("a1",), ("b1",), ("a2",)])
    assert ids[0] == ids[2] != ids[1]
    assert next(many.enqueue_many(iter([("b2",), ("c",)]))) == ids[1]


def test_keywords_in_any_order_are_the_same_arguments(say: Say, app: Postroom) -> None:
    said = app.using("say", queue="q", unique=timedelta(minutes=1))
    assert said.enqueue(a=1, b=2) == said.enqueue(b=2, a=1)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"unique": "forever"}, "forever"),
        ({"unique": True}, "True"),
        ({"unique": 0}, "unique=0"),
        ({"unique": -1}, "unique=-1"),
        ({"unique": None, "unique_by": "k"}, "unique_by='k'"),
        ({"unique_by": "a b"}, "unique_by='a b'"),
    ],
)
def test_rubbish_is_named(options: dict[str, Any], named: str, say: Say) -> None:
    with pytest.raises(ConfigError, match=named):
        say("a", **options)


def test_a_schedule_has_no_lock(app: Postroom) -> None:
    with pytest.raises(ConfigError, match="overlap"):
        app.cron("* * * * *", name="tick", unique="running")(lambda: None)


@pytest.mark.parametrize(
    ("unique", "held"),
    [
        ("queued", [True, False, False]),
        ("running", [True, False, False]),
        ("success", [True, True, False]),
        (60, [True] * 3),
    ],
)
def test_why_says_it_while_it_holds(unique: Any, held: list[bool], say: Say, app: Postroom) -> None:
    """Queued, a dead letter, purged."""
    job, said = say("dead", unique=unique, unique_by="l"), []
    for step in (lambda: None, lambda: burst(app, "q"), lambda: DeadLetters(app).purge(Filter())):
        step()
        sentence = why_job(look_at_job(app.broker, job.id)).sentence
        said.append("it holds the lock say:l" in sentence)
    assert said == held


def test_why_bears_rubbish_where_the_scope_belongs(say: Say, app: Postroom, client: Any) -> None:
    job = say("a", unique_by="l")
    client.hset(f"rq:job:{job.id}", "p:unique", "zzz say:l")
    assert "it holds the lock say:l" in why_job(look_at_job(app.broker, job.id)).sentence
    assert say("a", unique_by="l") == job
