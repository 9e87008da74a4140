"""RQ's RateLimit: who is held back goes on when our worker is done with the one before."""

import pytest
import redis

from tests.integration.interop import rq_side
from tests.integration.interop.conftest import RqProcess, Shop

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.mark.parametrize("killed_in", [None, "success"])
def test_the_next_one_goes_on(shop: Shop, rq: RqProcess, client: redis.Redis, killed_in: str | None) -> None:
    # Given three jobs of which one may run at a time: RQ holds two of them back
    limit = {"rate_limit": ("till", 1), "on_success": "shop.on_success"}
    job_ids = [rq(rq_side.enqueue, "shop.add", n, n, **limit) for n in range(3)]
    assert [rq(rq_side.look, job_id)["status"] for job_id in job_ids] == ["queued", "rate_limited", "rate_limited"]

    # If our worker runs the first; where it is killed before that is completed, it runs again
    shop.work(killed_in=killed_in)

    # I expect all to have been run, one after the other, and no place to be taken any more
    assert [rq(rq_side.look, job_id)["results"] for job_id in job_ids] == [["SUCCESSFUL"]] * 3
    called = [line for line in shop.notes() if line.startswith("success")]
    assert sorted(called) == [f"success started {2 * n} True" for n in range(3)]
    assert client.zcard("rq:rl:till:allowed") == 0


@pytest.mark.parametrize("options", [{"retry": {"max": 1}}, {"repeat": {"times": 1}}])
def test_a_job_that_is_put_back_at_once_keeps_its_place(
    shop: Shop, rq: RqProcess, options: dict[str, dict[str, int]]
) -> None:
    # Given a job that runs twice and looks each time at the one that it holds back
    failures = int("retry" in options)
    rq(rq_side.enqueue, "shop.look_at", "held-back", failures, rate_limit=("till", 1), **options)
    rq(rq_side.enqueue, "shop.add", 2, 3, rate_limit=("till", 1), job_id="held-back")

    shop.work()

    # I expect that one to wait for the second time, too, and then to run
    assert shop.notes() == ["rate_limited", "rate_limited", "add 2 3"]


def test_a_failure_lets_the_next_one_go_on(shop: Shop, rq: RqProcess) -> None:
    rq(rq_side.enqueue, "shop.fail", "no stock", rate_limit=("till", 1))
    held_back = rq(rq_side.enqueue, "shop.add", 2, 3, rate_limit=("till", 1))

    shop.work()

    assert rq(rq_side.look, held_back)["return_value"] == 5
