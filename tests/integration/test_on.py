"""`@app.on` on real workers: one call for each event and job. And progress."""

import time
from collections.abc import Callable

import pytest
import redis

from postroom import ConfigError, Event, Postroom, Progress, current_job
from postroom.scheduler import Tell
from tests.integration.programs import burst, until, working
from tests.integration.test_events import names, recorded
from tests.integration.test_on_dead import tell_all


def declare(app: Postroom) -> None:
    """A task."""

    @app.task(name="send", queue="mail")
    def send(order: int) -> None: ...


def heard_by(heard: list[Event]) -> Callable[[Event], None]:
    """A hook."""

    def hook(event: Event) -> None:
        heard.append(event)

    return hook


def finish(app: Postroom) -> None:
    """Run the hooks' jobs."""
    tell_all(app)
    burst(app, "events")


def test_it_is_told_of_each_job_once(app: Postroom, client: redis.Redis) -> None:
    heard: list[Event] = []
    declare(app)

    @app.on("finished", task="send", name="told")
    def told(event: Event) -> None:
        heard.append(event)

    Tell().do(app)  # from now on events are recorded
    ids = app.tasks["send"].prepared.enqueue_many([(n,) for n in range(30)])
    app.enqueue("unknown", queue="mail")
    burst(app, "mail")
    for _ in range(3):
        finish(app)
    assert sorted(event.jobs for event in heard) == sorted((job_id,) for job_id in ids)
    assert {(event.event, event.queue) for event in heard} == {("finished", "mail")}
    assert client.llen("rq:queue:events") == 0


def test_a_worker_that_goes(app: Postroom) -> None:
    heard: list[Event] = []
    declare(app)
    app.on("worker-down", name="down")(heard_by(heard))
    Tell().do(app)
    burst(app, "mail")
    tell_all(app)
    burst(app, "events")
    # tell_all ran a worker, too; what went while the second round ran is told by the next.
    assert heard
    assert all(event.event == "worker-down" and event.worker and not event.jobs for event in heard)


def test_hooks_that_are_wrong(app: Postroom) -> None:
    with pytest.raises(ConfigError, match="no event 'done'"):
        app.on("done")
    with pytest.raises(ConfigError, match="is called with an Event"):
        app.on("finished")(lambda: None)  # type: ignore[type-var]
    with pytest.raises(ConfigError, match="task=7"):
        app.on("finished", task=7)  # type: ignore[arg-type]


def test_progress(app: Postroom) -> None:
    took: list[float] = []

    @app.task(name="count", queue="mail")
    def count(most: int) -> None:
        began = time.monotonic()
        for done in range(most + 1):
            current_job.set_progress(done, most)
        took.append(time.monotonic() - began)
        until(lambda: app.job(current_job.id).progress() == Progress(most, most))  # type: ignore[arg-type]

    @app.task(name="acount", queue="mail")
    async def acount() -> None:
        current_job.set_progress(3)

    recorded(app)
    job, other, silent = app.enqueue("count", 5000, queue="mail"), app.enqueue("acount", queue="mail"), app.job("none")
    assert job.progress() is None
    with working(app, "mail"):
        job.result(timeout=20)
        until(lambda: other.progress() == Progress(3))
    assert job.progress() == Progress(5000, 5000)
    assert silent.progress() is None
    told = names(recorded(app), job.id)
    assert told[:2] == ["enqueued", "started"]
    assert told[-1] == "finished"
    assert 1 <= told.count("progress") <= 3 + took[0] / 0.25
