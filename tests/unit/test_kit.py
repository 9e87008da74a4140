"""The testing kit without a server: jobs that are kept, and jobs that are run at once."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from tenacity import stop_after_attempt, wait_fixed

from postroom import (
    ConfigError,
    DuplicateJob,
    InvalidMessage,
    JobFailed,
    Postroom,
    ResultExpired,
    ResultTimeout,
    Retry,
    Snooze,
    current_job,
)


@dataclass
class Order:
    id: int
    items: list[str]


@pytest.fixture
def app(app_without_server: Callable[[], Postroom]) -> Postroom:
    """An app whose server would not answer."""
    app = app_without_server()

    @app.task(name="send", queue="mail")
    def send(order: Order, copy: bool = False) -> str:
        return f"{order.id} {type(order).__name__} {copy}"

    @app.task(name="flaky", retry=Retry(stop=stop_after_attempt(2), wait=wait_fixed(7)))
    def flaky() -> None:
        raise ConnectionError("away")

    @app.task(name="wrong")
    def wrong() -> None:
        raise ValueError("as told")

    return app


def test_fake_keeps_what_is_enqueued_and_runs_nothing(app: Postroom) -> None:
    with app.testing() as kit:
        job = app.using("send", delay=60, key="customer-7").enqueue(Order(1, ["a"]), copy=True)
        found = kit.assert_enqueued("send", (Order(1, ["a"]), True))
        assert (found.id, found.queue, found.delay, found.key) == (job.id, "mail", 60, "customer-7")
        assert (list(found.args), found.kwargs) == ([{"id": 1, "items": ["a"]}], {"copy": True})
        assert job.status() == "scheduled"
        with pytest.raises(ResultTimeout, match="nobody will run it"):
            job.result(timeout=60)
    assert app.broker.url == "redis://127.0.0.1:1", "as before"


@pytest.mark.parametrize("codec", ["json", "msgpack", "avro", "protobuf"])
def test_in_every_codec(app: Postroom, codec: str) -> None:
    @app.task(name="packed", codec=codec, result_ttl=500)
    def packed(order: Order, when: datetime) -> int:
        return order.id + when.year

    call = (Order(1, ["a"]), datetime(2026, 11, 27, tzinfo=UTC))
    with app.testing() as kit:
        packed.enqueue(*call)
        kit.assert_enqueued(packed, call, times=1)
        kit.assert_not_enqueued(packed, (Order(2, ["a"]), call[1]))
    with app.testing("inline"):
        assert packed.enqueue(*call).result(timeout=0) == 2027


def test_an_assertion_that_fails_lists_what_there_is(app: Postroom) -> None:
    order = Order(1, [])
    with app.testing() as kit:
        with pytest.raises(AssertionError, match="enqueued was: nothing"):
            kit.assert_enqueued("send")
        app.using("send").enqueue(order)
        kit.assert_not_enqueued("flaky")
        kit.assert_not_enqueued("send", (Order(2, []),))
        with pytest.raises(AssertionError, match=r"(?s)expected send\(Order\(id=2.*send\({'id': 1.* in mail"):
            kit.assert_enqueued("send", (Order(2, []),))
        with pytest.raises(AssertionError, match="expected no send, found send"):
            kit.assert_not_enqueued("send")
        with pytest.raises(AssertionError, match="2 times, found it 1 times"):
            kit.assert_enqueued("send", times=2)
        with pytest.raises(InvalidMessage, match="order"):
            kit.assert_enqueued("send", (1,))
        with pytest.raises(ConfigError, match="give a list or a tuple"):
            kit.assert_enqueued("send", "order")


def test_fake_is_as_strict_as_the_server(app: Postroom) -> None:
    with app.testing() as kit:
        with pytest.raises(InvalidMessage):
            app.enqueue("send", "no order")
        app.enqueue("wrong", job_id="one")
        with pytest.raises(DuplicateJob):
            app.enqueue("wrong", job_id="one")
        kit.assert_enqueued("wrong", times=1)


def test_many_calls_and_an_event_loop(app: Postroom) -> None:
    due = datetime(2030, 1, 1, tzinfo=UTC)
    with app.testing() as kit:
        ids = app.using("wrong", run_at=due).enqueue_many([(), ()])
        assert [job.id for job in kit.enqueued] == ids
        assert {job.run_at for job in kit.enqueued} == {due}
        job = asyncio.run(app.aenqueue("wrong"))
        assert [job.id == kit.enqueued[-1].id, asyncio.run(job.astatus())] == [True, "queued"]


def test_without_a_server_what_needs_one_is_refused(app: Postroom) -> None:
    with app.testing() as kit:
        job = app.enqueue("wrong")
        for refused in (job.cancel, lambda: len(app.queue("mail")), kit.drain, lambda: list(app.events(follow=False))):
            with pytest.raises(ConfigError, match="testing\\('server'\\)"):
                refused()


@pytest.mark.parametrize(("mode", "url"), [("eager", None), ("fake", "redis://x"), ("inline", "redis://x")])
def test_a_mode_or_a_url_that_means_nothing_is_refused(app: Postroom, mode: str, url: str | None) -> None:
    with pytest.raises(ConfigError, match=mode), app.testing(mode, url=url):
        pass


def test_inline_runs_a_job_as_a_worker_would(app: Postroom) -> None:
    with app.testing("inline") as kit:
        job = app.using("send", delay=60).enqueue(Order(1, []), copy=True)
        assert job.result(timeout=0) == "1 Order True"
        assert (job.status(), kit.enqueued[0].delay) == ("finished", 60)


def test_inline_raises_what_the_handler_raised_and_tells_what_its_policy_says(app: Postroom) -> None:
    with app.testing("inline"):
        with pytest.raises(ConnectionError, match="away") as found:
            app.enqueue("flaky")
        assert "attempt 1 failed, and its retry policy runs it again in 7.0 s" in found.value.__notes__[0]
        with pytest.raises(ValueError, match="as told") as wrong:
            app.enqueue("wrong")
        assert "it is a dead letter: not-retryable" in wrong.value.__notes__[0]


def test_inline_that_does_not_raise_shows_the_job_as_in_production(app: Postroom) -> None:
    with app.testing("inline", raises=False):
        job = app.enqueue("wrong")
        with pytest.raises(JobFailed, match="ValueError: as told"):
            job.result(timeout=0)
        assert app.enqueue("flaky").status() == "scheduled"
        assert app.enqueue("nobody's").status() == "scheduled"


def test_inline_handlers_enqueue_say_how_far_they_are_and_await(app: Postroom) -> None:
    @app.task(name="leaf", result_ttl=0)
    def leaf(number: int) -> int:
        return number

    @app.task(name="parent")
    async def parent() -> str:
        await asyncio.sleep(0)
        leaf.enqueue(1)
        await leaf.aenqueue(2)
        current_job.set_progress(1, 2)
        current_job.log.info("half of it, %s s are left", round(current_job.remaining() or 0))
        return str(current_job.task)

    @app.task(name="later")
    def later() -> None:
        raise Snooze(5)

    async def in_a_loop() -> str:
        assert (await later.aenqueue()).status() == "scheduled"
        return parent.enqueue().result(timeout=0)

    with app.testing("inline") as kit:
        job = parent.using(deadline=60).enqueue()
        assert job.result(timeout=0) == "parent"
        assert job.progress() is not None
        assert [(line.number, line.text) for line in job.logs()] == [(1, "half of it, 60 s are left")]
        kit.assert_enqueued(leaf, (2,), times=1)
        assert asyncio.run(in_a_loop()) == "parent"
        with pytest.raises(ResultExpired):
            leaf.enqueue(3).result(timeout=0)
