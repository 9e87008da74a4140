"""RQ enqueues, our worker runs: what RQ's users see of it."""

import pytest

from postroom import JobFailed, Postroom
from tests.integration.interop import rq_side
from tests.integration.interop.conftest import RqProcess, Shop

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.mark.parametrize("killed_in", [None, "handler"])
def test_a_function_that_the_app_allows_is_run(shop: Shop, rq: RqProcess, app: Postroom, killed_in: str | None) -> None:
    # Given a job that a plain rq.Queue enqueued
    job_id = rq(rq_side.enqueue, "shop.add", 2, 3)

    # If our worker runs it
    shop.work(killed_in=killed_in)

    # I expect its result where RQ's readers look for it, once, and where ours do
    found = rq(rq_side.look, job_id)
    assert (found["status"], found["return_value"], found["results"]) == ("finished", 5, ["SUCCESSFUL"])
    assert found["seconds"] >= 0
    assert rq(rq_side.registry, "finished") == [job_id]
    assert app.job(job_id).result(timeout=0) == 5
    assert shop.notes() == ["add 2 3"] * (1 if killed_in is None else 2)


def test_a_plain_function_and_a_coroutine_are_run(shop: Shop, rq: RqProcess) -> None:
    plain = rq(rq_side.enqueue, "shop.multiply", 2, 3)
    coroutine = rq(rq_side.enqueue, "shop.add_later", 2, 3)

    shop.work()

    assert rq(rq_side.look, plain)["return_value"] == 6
    assert rq(rq_side.look, coroutine)["return_value"] == 5


def test_arguments_of_rqs_producer_are_typed_too(shop: Shop, rq: RqProcess, app: Postroom) -> None:
    good = rq(rq_side.enqueue, "shop.price", "1.50", 3)
    bad = rq(rq_side.enqueue, "shop.price", "1.50", "three")

    shop.work()

    assert rq(rq_side.look, good)["return_value"] == "4.50"
    with pytest.raises(JobFailed, match=r"shop\.price: pieces: expected `int`, got `str`"):
        app.job(bad).result(timeout=0)
    assert shop.notes() == ["price Decimal('1.50')"]


def test_a_function_that_is_not_allowed_is_a_dead_letter(shop: Shop, rq: RqProcess, app: Postroom) -> None:
    # Given a job that names a function which RQ's own worker would import, and a good one behind it
    bad = rq(rq_side.enqueue, "os.system", "touch broken-into")
    good = rq(rq_side.enqueue, "shop.add", 2, 3)

    shop.work()

    # I expect the reason on both sides, the function not run, and the next job done
    assert not (shop.folder / "broken-into").exists()
    found = rq(rq_side.look, bad)
    assert (found["status"], found["results"]) == ("failed", ["FAILED"])
    assert "no task 'os.system' in this app" in found["exc_string"]
    assert rq(rq_side.registry, "failed") == [bad]
    with pytest.raises(JobFailed, match=r"no task 'os\.system'"):
        app.job(bad).result(timeout=0)
    assert rq(rq_side.look, good)["return_value"] == 5


def test_a_handler_that_fails_is_a_dead_letter_with_its_traceback(shop: Shop, rq: RqProcess, app: Postroom) -> None:
    job_id = rq(rq_side.enqueue, "shop.fail", "no stock")

    shop.work()

    found = rq(rq_side.look, job_id)
    assert (found["status"], found["results"]) == ("failed", ["FAILED"])
    assert found["exc_string"].startswith("Traceback (most recent call last):")
    assert found["exc_string"].endswith("ValueError: no stock\n")
    with pytest.raises(JobFailed) as failed:
        app.job(job_id).result(timeout=0)
    assert (failed.value.reason, failed.value.traceback) == ("ValueError: no stock", found["exc_string"])


def test_a_scheduled_job_is_run_when_it_is_due(shop: Shop, rq: RqProcess) -> None:
    job_id = rq(rq_side.enqueue_in, 0.2, "shop.add", 2, 3)
    assert rq(rq_side.registry, "scheduled") == [job_id]

    with shop.working():
        assert rq.ended(job_id)["return_value"] == 5


@pytest.mark.parametrize("killed_in", [None, "handler"])
def test_a_handler_may_save_its_rq_job(shop: Shop, rq: RqProcess, killed_in: str | None) -> None:
    # Given a handler that calls save_meta() and save() of rq.get_current_job()
    job_id = rq(rq_side.enqueue, "shop.keep_meta", "all")

    # If it runs; where the worker is killed after the save, it runs again
    shop.work(killed_in=killed_in)

    # I expect that saving the job has not taken its call away
    found = rq(rq_side.look, job_id)
    assert (found["status"], found["return_value"]) == ("finished", "shop.keep_meta ['all']")
    assert found["meta"] == {"seen": "all"}


def test_pickle_is_read_on_a_queue_of_its_own_only(shop: Shop, rq: RqProcess, app: Postroom) -> None:
    # Given jobs of RQ's default serializer, on a queue where nobody asked for it and on one that the app names
    refused = rq(rq_side.enqueue_trap, "shop.add")
    wanted = rq(rq_side.enqueue, "shop.add", 2, 3, serializer="pickle", queue="pickled")

    log = shop.work("default", "pickled")

    # I expect the one to be a dead letter that was not unpickled, the other to run, and the worker to warn
    assert "RQ's producers on pickled are unpickled: whoever can write to the server can run any code here" in log
    with pytest.raises(JobFailed, match="not JSON"):
        app.job(refused).result(timeout=0)
    assert "not JSON" in rq(rq_side.look, refused)["exc_string"]
    assert not (shop.folder / "broken-into").exists()
    assert rq(rq_side.look, wanted, serializer="pickle")["return_value"] == 5
    assert shop.notes() == ["add 2 3"]
