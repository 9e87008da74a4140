"""RQ's webhooks are sent when our worker runs the job, where they were addressed and nowhere else."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.interop import rq_side
from tests.integration.interop.conftest import LEASE, RqProcess, Shop, last_words
from tests.integration.interop.http_ear import Ear


def kill_all(pid: int) -> None:
    """Kill a pool and its worker, as when a host is lost."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for one in (pid, *map(int, children)):
        os.kill(one, signal.SIGKILL)


pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture
def ear() -> Iterator[Ear]:
    """A server that hears."""
    with Ear().listening() as listening:
        yield listening


@pytest.mark.parametrize("killed_in", [None, "success"])
def test_success_is_told(shop: Shop, rq: RqProcess, ear: Ear, killed_in: str | None) -> None:
    # Given a job with webhooks for both ends, one with a header of its own
    webhooks: list[dict[str, Any]] = [
        {"url": f"{ear.url}/good", "job_status": "finished", "method": "POST", "headers": {"X-Shop": "7"}},
        {"url": f"{ear.url}/good", "job_status": "finished"},
        {"url": f"{ear.url}/bad", "job_status": "failed"},
    ]
    job_id = rq(rq_side.enqueue, "shop.add", 2, 3, webhooks=webhooks, on_success="shop.on_success")

    # If it runs; where the worker is killed between handler and webhook, it runs again
    shop.work(killed_in=killed_in)

    # I expect those for success to be sent, once each
    (method, path, headers, document), get = ear.heard
    assert (method, path, headers["X-Shop"]) == ("POST", "/good", "7")
    assert (document["job_id"], document["func_name"], document["status"]) == (job_id, "shop.add", "finished")
    assert document["ended_at"] >= document["enqueued_at"]
    assert get[:2] == ("GET", "/good")
    assert rq(rq_side.look, job_id)["results"] == ["SUCCESSFUL"]


def test_failure_is_told(shop: Shop, rq: RqProcess, ear: Ear) -> None:
    # Given a job that fails for good at its second attempt
    webhook = {"url": f"{ear.url}/bad", "job_status": "failed", "method": "POST"}
    job_id = rq(rq_side.enqueue, "shop.fail", "no stock", webhooks=[webhook], retry={"max": 1})

    shop.work()

    # I expect the webhook for the last failure only, with its traceback
    ((_, path, _, document),) = ear.heard
    assert (path, document["job_id"], document["status"]) == ("/bad", job_id, "failed")
    assert document["exc_info"].endswith("ValueError: no stock\n")


def test_a_worker_killed_while_it_sends_sends_again(shop: Shop, rq: RqProcess, ear: Ear) -> None:
    # Given a worker that dies before the webhook is answered
    webhook = {"url": f"{ear.url}/good", "job_status": "finished"}
    job_id = rq(rq_side.enqueue, "shop.add", 2, 3, webhooks=[webhook])
    with shop.worker(lease=LEASE) as dying:
        ear.before_answering = lambda: kill_all(dying.pid)
        log = last_words(dying)
    assert dying.returncode == -signal.SIGKILL, log
    ear.before_answering = lambda: None
    shop.recover()

    # If another takes over
    shop.work()

    # I expect it to be told again: at least once is the promise, and one completion
    assert ear.paths == ["/good", "/good"]
    assert rq(rq_side.look, job_id)["results"] == ["SUCCESSFUL"]


def test_a_redirect_is_not_followed(shop: Shop, rq: RqProcess, ear: Ear) -> None:
    # Given webhooks whose address answers 302, which could lead into the private network
    webhooks = [{"url": f"{ear.url}/away", "job_status": "finished", "method": method} for method in ("GET", "POST")]
    job_id = rq(rq_side.enqueue, "shop.add", 2, 3, webhooks=webhooks)

    log = shop.work()

    # I expect nobody to have gone there, and a word in the log
    assert ear.paths == ["/away", "/away"]
    assert f"{ear.url}/away was not taken" in log
    assert rq(rq_side.look, job_id)["return_value"] == 5


def test_a_webhook_that_cannot_be_sent_does_not_fail_the_job(shop: Shop, rq: RqProcess, ear: Ear) -> None:
    # Given addresses that answer what is no HTTP, that nobody listens at, and that are none
    urls = [f"{ear.url}/garbage", "http://127.0.0.1:1/", "http://no\u00ebl.invalid:port/", f"{ear.url}/good"]
    webhooks = [{"url": url, "job_status": "finished", "timeout": 2} for url in urls]
    job_id = rq(rq_side.enqueue, "shop.add", 2, 3, webhooks=webhooks)

    log = shop.work()

    # I expect a word in the log for each, the next one to be sent, and the job to be done
    assert log.count("was not taken") == 3
    assert ear.paths == ["/garbage", "/good"]
    assert rq(rq_side.look, job_id)["return_value"] == 5
