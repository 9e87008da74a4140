"""RQ's Retry, enqueued with the job or returned by the handler, is obeyed when our worker runs it."""

import pytest

from postroom import Postroom
from tests.integration.interop import rq_side
from tests.integration.interop.conftest import RqProcess, Shop, until

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.mark.parametrize("killed_in", [None, "failure"])
def test_a_job_that_raises_is_tried_as_often_as_its_retry_says(
    shop: Shop, rq: RqProcess, app: Postroom, killed_in: str | None
) -> None:
    # Given a job that fails twice, and may be tried three times
    job_id = rq(
        rq_side.enqueue, "shop.fail_twice", retry={"max": 2}, on_failure="shop.on_failure", on_success="shop.on_success"
    )

    # If it runs; where the worker is killed after the first failure, before that is settled, it counts for nothing
    shop.work(killed_in=killed_in)

    # I expect each failure to have been called, the last attempt to have been accepted, and no trace of the failures
    failure = "failure ValueError not yet True True"
    if killed_in is None:
        history = ["attempt 1", failure, "attempt 2", failure, "attempt 3", "success started at last True"]
    else:
        history = ["attempt 1", "attempt 1", failure, "attempt 2", "success started at last True"]
    assert shop.notes() == history
    found = rq(rq_side.look, job_id)
    assert (found["status"], found["return_value"], found["results"]) == ("finished", "at last", ["SUCCESSFUL"])
    assert app.job(job_id).result(timeout=0) == "at last"


def test_its_intervals_are_waited_for(shop: Shop, rq: RqProcess) -> None:
    # Given a job that fails twice, with an interval before each further attempt
    job_id = rq(rq_side.enqueue, "shop.fail_twice", retry={"max": 3, "interval": [3600, 7200, 9999]})

    shop.work()
    assert rq(rq_side.registry, "scheduled") == [job_id]
    shop.make_due(job_id, 3600)
    with shop.working():
        until(lambda: len(shop.notes()) == 2 and rq(rq_side.look, job_id)["status"] == "scheduled", "it waits again")
        shop.make_due(job_id, 7200)
        assert rq.ended(job_id)["return_value"] == "at last"

    assert shop.notes() == ["attempt 1", "attempt 2", "attempt 3"]


def test_the_last_failure_is_a_dead_letter(shop: Shop, rq: RqProcess) -> None:
    job_id = rq(rq_side.enqueue, "shop.fail", "no stock", retry={"max": 2})

    shop.work()

    assert shop.notes() == ["fail no stock"] * 3
    found = rq(rq_side.look, job_id)
    assert (found["status"], found["results"]) == ("failed", ["FAILED"])
    assert found["exc_string"].endswith("ValueError: no stock\n")


@pytest.mark.parametrize("killed_in", [None, "handler"])
def test_a_handler_may_return_retry(shop: Shop, rq: RqProcess, killed_in: str | None) -> None:
    # Given a handler that asks to be tried again, the first two times
    job_id = rq(rq_side.enqueue, "shop.ask_again", 2)

    # If it runs; where the worker is killed before what it asked for is settled, it asks again
    shop.work(killed_in=killed_in)

    # I expect the asked for number of executions, and one completion
    assert shop.notes() == (
        ["attempt 1", "attempt 2", "attempt 3"] if killed_in is None else ["attempt 1", "attempt 1", "attempt 2"]
    )
    found = rq(rq_side.look, job_id)
    assert (found["return_value"], found["results"]) == ("at last", ["SUCCESSFUL"])


def test_a_returned_interval_is_waited_for(shop: Shop, rq: RqProcess) -> None:
    job_id = rq(rq_side.enqueue, "shop.ask_again", 1, interval=3600)

    shop.work()
    assert rq(rq_side.registry, "scheduled") == [job_id]
    shop.make_due(job_id, 3600)
    with shop.working():
        assert rq.ended(job_id)["return_value"] == "at last"


def test_a_handler_that_asks_too_often_is_a_dead_letter(shop: Shop, rq: RqProcess) -> None:
    job_id = rq(rq_side.enqueue, "shop.always_ask_again")

    shop.work()

    assert shop.notes() == ["attempt 1", "attempt 2"]
    found = rq(rq_side.look, job_id)
    assert found["status"] == "failed"
    assert "Retry(max=1, interval=0, enqueue_at_front=False) after 1 retries" in found["exc_string"]


def test_a_retry_may_go_to_the_front(shop: Shop, rq: RqProcess) -> None:
    # Given a job that is to be tried again in front, and others behind it
    first = rq(rq_side.enqueue, "shop.fail_once", retry={"max": 1, "enqueue_at_front": True})
    others = [rq(rq_side.enqueue, "shop.add", n, n) for n in range(6)]

    # If a worker takes them one after the other
    shop.work(threads=1)

    # I expect it before those that were still on the list: one may be in the worker's hands already
    assert {rq(rq_side.look, job_id)["status"] for job_id in (first, *others)} == {"finished"}
    assert "attempt 2" in shop.notes()[1:3]
