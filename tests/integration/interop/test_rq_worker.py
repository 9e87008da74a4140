"""RQ's own worker, `rq worker --serializer json`, runs jobs of ours, and our readers read what it left."""

import pytest

from postroom import JobFailed, Postroom
from tests.integration.interop import rq_side
from tests.integration.interop.conftest import RqProcess, Shop

pytestmark = pytest.mark.usefixtures("nothing_left", "rq")
RQ_WORKER = ("worker", "--serializer", "json", "--burst")


@pytest.mark.parametrize("killed", [False, True])
def test_it_runs_a_job_of_ours(shop: Shop, app: Postroom, killed: bool) -> None:
    # Given a job of ours, perhaps one that a worker of ours was killed with
    job = app.enqueue("shop.add", 2, 3)
    if killed:
        shop.die("handler")

    # If RQ's worker takes it
    shop.rq(*RQ_WORKER)

    # I expect our handle to have its result
    assert (job.status(), job.result(timeout=0)) == ("finished", 5)
    assert shop.notes() == ["add 2 3"] * (2 if killed else 1)


def test_it_runs_a_coroutine_and_what_returns_nothing(shop: Shop, app: Postroom) -> None:
    coroutine, nothing = app.enqueue("shop.add_later", 2, 3), app.enqueue("shop.note", "nothing")

    shop.rq(*RQ_WORKER)

    assert (coroutine.result(timeout=0), nothing.result(timeout=0)) == (5, None)


def test_its_failure_is_read_with_its_traceback(shop: Shop, app: Postroom) -> None:
    job = app.enqueue("shop.fail", "no stock")

    shop.rq(*RQ_WORKER)

    with pytest.raises(JobFailed) as failed:
        job.result(timeout=0)
    assert failed.value.reason == "ValueError: no stock"
    assert failed.value.traceback.startswith("Traceback (most recent call last):")
    assert "in fail" in failed.value.traceback


def test_its_failure_of_a_dead_letter_of_ours_is_read(shop: Shop, app: Postroom) -> None:
    # Given a dead letter of ours, which RQ requeues and whose worker fails with it again
    job = app.enqueue("shop.fail", "no stock")
    shop.work()
    with pytest.raises(JobFailed) as ours:
        job.result(timeout=0)
    shop.rq("requeue", "--queue", "default", job.id)

    shop.rq(*RQ_WORKER)

    # I expect the new failure
    with pytest.raises(JobFailed) as theirs:
        job.result(timeout=0)
    assert (ours.value.reason, theirs.value.reason) == ("ValueError: no stock",) * 2
    assert "rq/worker" not in ours.value.traceback
    assert "rq/worker" in theirs.value.traceback


def test_its_scheduler_enqueues_a_job_of_ours_that_is_due(shop: Shop, app: Postroom) -> None:
    job = app.enqueue("shop.add", 2, 3, delay=3600)
    shop.make_due(job.id, 3600)

    shop.rq(*RQ_WORKER, "--with-scheduler")

    assert job.result(timeout=0) == 5


def test_it_takes_over_a_job_that_failed_with_us(shop: Shop, rq: RqProcess, app: Postroom) -> None:
    # Given a job of ours whose first attempt failed in our worker, and which waits for the next
    job = app.enqueue("shop.fail_once")
    shop.work()
    shop.make_due(job.id, 3600)

    # If RQ's worker makes the second
    shop.rq(*RQ_WORKER, "--with-scheduler")

    # I expect the result, and not what is left of the failure
    assert shop.notes() == ["attempt 1", "attempt of RQ"]
    assert job.result(timeout=0) == "at last"
    assert rq(rq_side.look, job.id)["return_value"] == "at last"
