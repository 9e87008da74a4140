"""RQ's dependents are enqueued when our worker has run what they wait for."""

import pytest

from tests.integration.interop import rq_side
from tests.integration.interop.conftest import RqProcess, Shop

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.mark.parametrize("killed_in", [None, "success"])
def test_a_dependent_is_run_after_all_that_it_waits_for(shop: Shop, rq: RqProcess, killed_in: str | None) -> None:
    # Given a job that waits for two others
    first = rq(rq_side.enqueue, "shop.add", 1, 1, on_success="shop.on_success")
    second = rq(rq_side.enqueue, "shop.add", 2, 2)
    last = rq(rq_side.enqueue, "shop.multiply", 3, 3, depends_on={"jobs": [first, second]})

    # If they run; where the worker is killed between the first one's handler and its completion, that runs again
    shop.work(killed_in=killed_in)

    # I expect the dependent to run once, at the end
    assert shop.notes()[-1] == "multiply 3 3"
    assert shop.notes().count("multiply 3 3") == 1
    for job_id, value in ((first, 2), (second, 4), (last, 9)):
        found = rq(rq_side.look, job_id)
        assert (found["return_value"], found["results"]) == (value, ["SUCCESSFUL"])


def test_a_dependent_may_allow_failure(shop: Shop, rq: RqProcess) -> None:
    # Given two jobs that wait for one that fails, of which one does not mind
    bad = rq(rq_side.enqueue, "shop.fail", "no stock")
    brave = rq(rq_side.enqueue, "shop.add", 2, 3, depends_on={"jobs": [bad], "allow_failure": True})
    timid = rq(rq_side.enqueue, "shop.add", 4, 5, depends_on={"jobs": [bad]})

    shop.work()

    # I expect that one to run, and the other to wait on: for RQ's requeue of the one that failed
    assert rq(rq_side.look, brave)["return_value"] == 5
    assert rq(rq_side.look, timid)["status"] == "deferred"
    rq(rq_side.delete, timid)


def test_a_dependent_may_go_to_another_queue_and_to_its_front(shop: Shop, rq: RqProcess) -> None:
    first = rq(rq_side.enqueue, "shop.add", 1, 1)
    other = rq(rq_side.enqueue, "shop.add", 2, 2, queue="mail")
    front = {"jobs": [first], "enqueue_at_front": True}
    last = rq(rq_side.enqueue, "shop.add", 3, 3, queue="mail", depends_on=front)

    shop.work("default")
    shop.work("mail", threads=1)

    assert shop.notes() == ["add 1 1", "add 3 3", "add 2 2"]
    assert {rq(rq_side.look, job_id)["status"] for job_id in (other, last)} == {"finished"}


def test_the_dependent_of_a_repeated_job_does_not_wait_for_the_last_time(shop: Shop, rq: RqProcess) -> None:
    # Given a job that waits for one which is to be repeated in an hour, as RQ's worker would run it at once
    first = rq(rq_side.enqueue, "shop.add", 1, 1, repeat={"times": 1, "interval": 3600})
    last = rq(rq_side.enqueue, "shop.add", 2, 2, depends_on={"jobs": [first]})

    shop.work()

    assert rq(rq_side.look, last)["return_value"] == 4
    rq(rq_side.delete, first)


def test_a_dependent_of_a_job_that_keeps_no_result(shop: Shop, rq: RqProcess) -> None:
    first = rq(rq_side.enqueue, "shop.add", 1, 1, result_ttl=0)
    last = rq(rq_side.enqueue, "shop.add", 2, 2, depends_on={"jobs": [first]})

    shop.work()

    assert rq(rq_side.look, last)["return_value"] == 4
