"""RQ's hands on our jobs: requeue, cancel, delete and empty."""

import zlib
from collections.abc import Callable
from typing import Any

import pytest
import redis

from postroom import JobCanceled, JobFailed, Postroom, ResultExpired
from tests.integration.interop import rq_side
from tests.integration.interop.conftest import PATIENCE, RqProcess, Shop, until

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.mark.parametrize("way", ["rq requeue", "registry.requeue"])
def test_a_dead_letter_of_ours_is_requeued_by_rq(
    shop: Shop, rq: RqProcess, client: redis.Redis, app: Postroom, way: str
) -> None:
    # Given a dead letter of ours, after the three attempts that its policy allows
    job = app.enqueue("shop.fail_thrice")
    shop.work()
    assert shop.notes() == ["attempt 1", "attempt 2", "attempt 3"]

    # If RQ requeues it, which rewrites the hash with its data compressed
    if way == "rq requeue":
        shop.rq("requeue", "--queue", "default", "--all")
    else:
        rq(rq_side.requeue, job.id)
    assert job.status() == "queued"
    assert zlib.decompress(client.hget(f"rq:job:{job.id}", "data") or b"") == b'["shop.fail_thrice",null,[],{}]'  # type: ignore[arg-type]
    shop.work()

    # I expect as many attempts again, numbered from 1
    assert shop.notes() == ["attempt 1", "attempt 2", "attempt 3"] * 2
    with pytest.raises(JobFailed, match="ValueError: thrice"):
        job.result(timeout=0)
    assert rq(rq_side.registry, "failed") == [job.id]


def test_a_dead_letter_of_rqs_is_requeued_by_rq(shop: Shop, rq: RqProcess, app: Postroom) -> None:
    # Given a job of RQ's that was a dead letter, and would succeed now
    job_id = rq(rq_side.enqueue, "shop.fail_once")
    shop.work()
    assert rq(rq_side.look, job_id)["status"] == "failed"

    rq(rq_side.requeue, job_id)
    shop.work()

    found = rq(rq_side.look, job_id)
    assert (found["return_value"], found["results"]) == ("at last", ["SUCCESSFUL", "FAILED"])
    assert app.job(job_id).result(timeout=0) == "at last"


@pytest.mark.parametrize("deed", [rq_side.cancel, rq_side.delete])
def test_a_job_that_rq_takes_away_is_not_run(
    shop: Shop, rq: RqProcess, app: Postroom, deed: Callable[..., Any]
) -> None:
    # Given jobs of ours that RQ cancels or deletes while they wait, and a good one
    jobs = [app.enqueue("shop.add", 2, 3), app.enqueue("shop.add", 2, 3, delay=3600)]
    good = app.enqueue("shop.add", 4, 5)
    for job in jobs:
        rq(deed, job.id)

    shop.work()

    # I expect only that one to run, and to be told what became of the others
    assert (shop.notes(), good.result(timeout=0)) == (["add 4 5"], 9)
    for job in jobs:
        with pytest.raises(JobCanceled if deed is rq_side.cancel else ResultExpired):
            job.result(timeout=0)


@pytest.mark.parametrize("deed", [rq_side.cancel, rq_side.delete])
def test_a_running_job_may_be_canceled_or_deleted_by_rq(
    shop: Shop, rq: RqProcess, app: Postroom, deed: Callable[..., Any]
) -> None:
    # Given a job that runs
    job = app.enqueue("shop.hold")
    with shop.working():
        until(lambda: job.status() == "started", "the job runs")

        # If RQ takes it away
        rq(deed, job.id)
        (shop.folder / "go").touch()

        # I expect the worker to go on with others, and its word on this one to be dropped
        assert app.enqueue("shop.add", 4, 5).result(timeout=PATIENCE) == 9
    assert job.status() == ("canceled" if deed is rq_side.cancel else None)
    assert rq(rq_side.registry, "started") == []


def test_rq_empties_a_queue_of_ours(shop: Shop, app: Postroom) -> None:
    jobs = [app.enqueue("shop.add", 2, 3) for _ in range(3)]

    assert "3 jobs removed from default queue" in shop.rq("empty", "default", "--serializer", "json")
    shop.work()

    assert shop.notes() == []
    assert [job.status() for job in jobs] == [None] * 3
