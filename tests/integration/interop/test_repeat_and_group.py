"""RQ's Repeat and Group take effect when our worker runs the jobs."""

import pytest
import redis

from tests.integration.interop import rq_side
from tests.integration.interop.conftest import RqProcess, Shop, until

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.mark.parametrize("killed_in", [None, "success"])
def test_a_job_is_repeated_as_often_as_it_says(shop: Shop, rq: RqProcess, killed_in: str | None) -> None:
    # Given a job that runs three times in all
    job_id = rq(rq_side.enqueue, "shop.add", 2, 3, repeat={"times": 2}, on_success="shop.on_success")

    # If it runs; where the worker is killed between handler and settling, that time is made up for
    shop.work(killed_in=killed_in)

    # I expect three completions
    assert shop.notes().count("success started 5 True") == 3
    assert shop.notes().count("add 2 3") == (3 if killed_in is None else 4)
    found = rq(rq_side.look, job_id)
    assert (found["status"], found["results"]) == ("finished", ["SUCCESSFUL"] * 3)


def test_a_repetition_waits_for_its_interval(shop: Shop, rq: RqProcess) -> None:
    # Given a job that is repeated twice, with an interval before each time
    job_id = rq(rq_side.enqueue, "shop.add", 2, 3, repeat={"times": 2, "interval": [3600, 7200]})

    shop.work()
    assert (shop.notes(), rq(rq_side.registry, "scheduled")) == (["add 2 3"], [job_id])
    shop.make_due(job_id, 3600)
    with shop.working():
        until(lambda: len(shop.notes()) == 2 and rq(rq_side.look, job_id)["status"] == "scheduled", "it waits again")
        shop.make_due(job_id, 7200)
        rq.ended(job_id)

    assert shop.notes() == ["add 2 3"] * 3


@pytest.mark.parametrize("killed_in", [None, "success"])
def test_a_group_shows_what_became_of_its_jobs(shop: Shop, rq: RqProcess, killed_in: str | None) -> None:
    # Given a group of two jobs
    job_ids = rq(rq_side.enqueue_group, "batch", "shop.add", [[1, 1], [2, 2]], on_success="shop.on_success")

    # If they run; where the worker is killed between a handler and its completion, what it held runs again
    shop.work(killed_in=killed_in)

    # I expect the group to have both, each completed once
    assert rq(rq_side.group_statuses, "batch") == dict.fromkeys(job_ids, "finished")
    assert [rq(rq_side.look, job_id)["results"] for job_id in job_ids] == [["SUCCESSFUL"]] * 2


def test_a_job_that_keeps_no_result_leaves_its_group(shop: Shop, rq: RqProcess, client: redis.Redis) -> None:
    (job_id,) = rq(rq_side.enqueue_group, "batch", "shop.add", [[1, 1]], result_ttl=0)
    assert client.smembers("rq:group:batch") == {job_id.encode()}

    shop.work()

    assert client.smembers("rq:group:batch") == set()
    assert client.keys(f"rq:*{job_id}*") == []
