"""Deadlines on real workers: what is late does not begin, what runs is stopped, and children have no more time."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tenacity import stop_after_attempt, wait_fixed

from postroom import ConfigError, JobExpired, JobFailed, Postroom, Retry, current_job
from postroom.jobs.context import current
from postroom.monitor.counts import count_jobs
from postroom.monitor.dead import DeadLetters
from postroom.monitor.look import look_at_job
from postroom.monitor.why import why_job
from tests.integration.programs import Command, Program, burst, working


def said(app: Postroom, job_id: str) -> tuple[str, str]:
    """What `postroom why` says of a job."""
    answer = why_job(look_at_job(app.broker, job_id))
    return answer.state, answer.sentence


def test_what_is_late_does_not_run(app: Postroom, client: Any, command: Command) -> None:
    ran = list[int]()

    @app.task(name="note", queue="q", deadline=60)
    def note(number: int) -> None:
        ran.append(number)

    late = note.using(deadline=timedelta(milliseconds=50)).enqueue(1)
    past = note.using(deadline=datetime.now(UTC) - timedelta(seconds=9)).enqueue(2)
    in_time = note.enqueue(3)
    assert "; its deadline is in 1 m" in said(app, in_time.id)[1] or "60 s" in said(app, in_time.id)[1]
    time.sleep(0.1)
    assert late.status() == "queued", "nobody looks until its turn comes"
    assert "ago: it expires when its turn comes." in said(app, late.id)[1]
    events = list(app.events(since=0, follow=False))
    burst(app, "q")
    assert ran == [3]
    assert [job.status() for job in (late, past, in_time)] == ["expired", "expired", "finished"]
    assert asyncio.run(late.astatus()) == "expired"
    with pytest.raises(JobExpired, match=f"job {late.id} expired: its deadline had passed"):
        late.result(1)
    assert not late.cancel()
    assert said(app, late.id)[0] == "expired"
    assert f"Job {late.id} expired" in said(app, late.id)[1]
    (counts,) = count_jobs(app.broker)
    assert (counts.expired, counts.canceled, counts.finished) == (2, 0, 1)
    assert client.zcard("rq:canceled:q") == 2, "RQ's readers find them there"
    told = [event for event in app.events(since=0, follow=False) if event not in events and event.event == "expired"]
    assert sorted(job_id for event in told for job_id in event.jobs) == sorted([late.id, past.id])
    assert command("info", "--json").json["queues"][0]["expired"] == 2


def test_who_waits_for_the_result_is_told(app: Postroom) -> None:
    job = app.using("nobody", queue="q", deadline=0.2).enqueue()
    time.sleep(0.3)
    with working(app, "q"), pytest.raises(JobExpired):
        job.result(5)


def test_a_deadline_ends_a_handler(app: Postroom) -> None:
    seen = list[Any]()

    @app.task(name="spin", queue="q", timeout=60)
    def spin() -> None:
        seen.append((current_job.deadline, current_job.remaining()))
        while True:
            time.sleep(0.01)

    @app.task(name="nap", queue="q", timeout=60)
    async def nap() -> None:
        await asyncio.sleep(60)

    with working(app, "q"):
        began = time.time()
        jobs = [task.using(deadline=0.7).enqueue() for task in (spin, nap)]
        for job in jobs:
            with pytest.raises(JobFailed, match="TimeoutError: the handler ran past its deadline"):
                job.result(5)
        assert time.time() - began < 2
    ((deadline, remaining),) = seen
    assert deadline.tzinfo is UTC
    assert 0.6 < deadline.timestamp() - began < 0.9
    assert 0 < remaining <= 0.7


def test_no_attempt_begins_after_the_deadline(app: Postroom) -> None:
    attempts = list[int]()

    @app.task(name="fail", queue="q", retry=Retry(stop=stop_after_attempt(9), wait=wait_fixed(2)))
    def fail() -> None:
        attempts.append(current.get().attempt)
        raise ConnectionError("as told")

    with working(app, "q"):
        job = fail.using(deadline=3.5).enqueue()
        with pytest.raises(JobFailed, match="ConnectionError: as told; its deadline comes before its next attempt"):
            job.result(9)
    assert attempts == [1, 2]
    assert "; expired: ConnectionError: as told" in said(app, job.id)[1]
    # Redriven it begins anew, for somebody wants it to run.
    DeadLetters(app).redrive([job.id])
    burst(app, "q")
    assert attempts[:3] == [1, 2, 1]


def test_a_child_has_its_parents_deadline_or_an_earlier_one(app: Postroom) -> None:
    ends: dict[str, float | None] = {}

    @app.task(name="look", queue="q")
    def look(name: str) -> None:
        ends[name] = current.get().ends

    @app.task(name="parent", queue="q")
    def parent() -> None:
        look("parent")
        look.enqueue("same")
        look.enqueue_many([("of many",)])
        look.using(deadline=None).enqueue("none said")
        look.using(deadline=5).enqueue("earlier")
        look.using(deadline=900, key="k").enqueue("later")
        look.using(detached=True).enqueue("detached")
        look.using(detached=True, deadline=900).enqueue("its own")

    parent.using(deadline=60).enqueue()
    burst(app, "q")
    end = ends["parent"]
    assert end is not None
    assert [ends[name] for name in ("same", "of many", "none said", "later")] == [end] * 4
    assert ends["detached"] is None
    assert ends["earlier"] is not None
    assert ends["its own"] is not None
    assert ends["earlier"] < end - 50 < end + 800 < ends["its own"]


def test_an_isolated_job_has_its_deadline_too(program: Program, app: Postroom) -> None:
    program.write("jobs.py", ISOLATED)
    program.worker("jobs:app")
    first = app.using("look", queue="q", deadline=60).enqueue()
    assert 50 < first.result(30) <= 60
    job = app.using("hang", queue="q", deadline=1).enqueue()
    with pytest.raises(JobFailed, match="past its deadline"):
        job.result(20)


ISOLATED = """
import time
from postroom import Postroom, current_job

app = Postroom()

@app.task(name="look", queue="q", isolate=True)
def look():
    return current_job.remaining()

@app.task(name="hang", queue="q", isolate=True)
def hang():
    while True:
        time.sleep(0.01)
"""


def test_a_schedule_gives_its_ticks_a_deadline(app: Postroom) -> None:
    seen = list[float]()

    @app.cron(every=1, name="tick", queue="q", deadline=30)
    def tick() -> None:
        seen.append(current_job.remaining() or 0.0)

    assert app.schedules["tick"].deadline == 30
    job = app.schedules["tick"].options(1000.0, 2000.0)
    assert job.deadline == datetime.fromtimestamp(2030, UTC)
    assert not seen


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"deadline": datetime(2030, 1, 1)}, "deadline=datetime.datetime(2030, 1, 1, 0, 0) has no time zone"),
        ({"deadline": 0}, "deadline=0: must be more than 0 seconds"),
        ({"deadline": -1}, "deadline=-1: must be seconds or a timedelta"),
        ({"deadline": "soon"}, "deadline='soon': must be seconds or a timedelta"),
        ({"deadline": float("nan")}, "deadline=nan"),
        ({"deadline": 30, "delay": 60}, "delay=60 with deadline=30: it would expire before it is due"),
        ({"detached": 1}, "detached=1: True or False"),
    ],
)
def test_what_is_wrong(app: Postroom, options: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        app.using("work", **options)
    assert said in str(caught.value)


def test_one_time_for_all_jobs_of_a_task_is_refused(app: Postroom) -> None:
    with pytest.raises(ConfigError, match="one time for all its jobs: give a timedelta or seconds"):

        @app.task(name="work", deadline=datetime.now(UTC))  # type: ignore[call-overload, untyped-decorator]
        def work() -> None: ...
