"""RQ's callbacks take effect when our worker runs the job, and their names are checked before the handler runs."""

import pytest

from postroom import JobFailed, Postroom
from tests.integration.interop import rq_side
from tests.integration.interop.conftest import RqProcess, Shop

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.mark.parametrize("killed_in", [None, "success"])
def test_the_success_callback_is_called(shop: Shop, rq: RqProcess, killed_in: str | None) -> None:
    # Given a job with a success callback
    job_id = rq(rq_side.enqueue, "shop.add", 2, 3, on_success="shop.on_success")

    # If it runs; where the worker is killed between handler and callback, it runs again
    shop.work(killed_in=killed_in)

    # I expect the callback to have had its say once, before the one completion
    assert shop.notes() == ["add 2 3"] * (1 if killed_in is None else 2) + ["success started 5 True"]
    assert rq(rq_side.look, job_id)["results"] == ["SUCCESSFUL"]


@pytest.mark.parametrize("killed_in", [None, "failure"])
def test_the_failure_callback_is_called(shop: Shop, rq: RqProcess, killed_in: str | None) -> None:
    job_id = rq(rq_side.enqueue, "shop.fail", "no stock", on_failure="shop.on_failure")

    shop.work(killed_in=killed_in)

    assert shop.notes() == [
        *["fail no stock"] * (1 if killed_in is None else 2),
        "failure ValueError no stock True True",
    ]
    assert rq(rq_side.look, job_id)["results"] == ["FAILED"]


def test_a_callback_that_is_not_allowed_is_a_dead_letter(shop: Shop, rq: RqProcess, app: Postroom) -> None:
    # Given jobs whose callback is a function that RQ's own worker would import, and a good one behind them
    bad = [rq(rq_side.enqueue, "shop.add", 2, 3, **{kind: "os.unlink"}) for kind in ("on_success", "on_failure")]
    good = rq(rq_side.enqueue, "shop.add", 4, 5)

    shop.work()

    # I expect that their handler was not even begun, and that the worker went on
    for job_id in bad:
        with pytest.raises(JobFailed, match=r"no task 'os\.unlink'"):
            app.job(job_id).result(timeout=0)
        assert "no task 'os.unlink'" in rq(rq_side.look, job_id)["exc_string"]
    assert rq(rq_side.look, good)["return_value"] == 9
    assert shop.notes() == ["add 4 5"]


def test_a_callback_that_fails_is_what_the_job_failed_of(shop: Shop, rq: RqProcess, app: Postroom) -> None:
    # Given callbacks that raise, after a success and after a failure
    callbacks = {"on_success": "shop.on_success_raise", "on_failure": "shop.on_failure"}
    good = rq(rq_side.enqueue, "shop.add", 2, 3, **callbacks)
    bad = rq(rq_side.enqueue, "shop.fail", "no stock", on_failure="shop.on_failure_raise")

    shop.work(threads=1)

    # I expect what RQ's worker makes of it: both jobs have failed, of their callback
    assert shop.notes() == ["add 2 3", "failure RuntimeError the callback failed True True", "fail no stock"]
    for job_id in (good, bad):
        found = rq(rq_side.look, job_id)
        assert (found["status"], found["results"]) == ("failed", ["FAILED"])
        assert found["exc_string"].endswith("RuntimeError: the callback failed\n")
        with pytest.raises(JobFailed, match="RuntimeError: the callback failed"):
            app.job(job_id).result(timeout=0)
