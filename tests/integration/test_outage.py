"""The server is killed and comes back: what was acknowledged runs, and the worker lives on and says so once."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from postroom import DuplicateJob, Postroom, Unavailable
from tests.fault.proxy import AFTER, Proxy
from tests.integration.programs import Program, until
from tests.integration.test_worker_process import JOBS, stop
from tests.servers import Server


@pytest.fixture
def durable() -> Iterator[Server]:
    """A server of its own that keeps its data over a kill."""
    with Server(aof=True) as server:
        yield server


@pytest.fixture
def shop(tmp_path: Path, durable: Server) -> Iterator[Program]:
    """A user's `jobs.py` on that server."""
    found = Program(tmp_path, durable.url)
    found.write("jobs.py", JOBS)
    yield found
    found.close()


def begun(shop: Program) -> bool:
    noted = shop.folder / "ran"
    return noted.exists() and noted.read_text().count("begin") > noted.read_text().count("end")


def test_what_was_acknowledged_runs_though_the_server_is_killed(shop: Program, durable: Server) -> None:
    app = Postroom(durable.url, deadline=0.5)
    worker = shop.worker("jobs:app", "-c", "4", POSTROOM_DEADLINE="0.3")
    acknowledged: list[str] = []
    for outage in (1, 2):
        acknowledged += [app.enqueue("jobs.work", n, queue="q").id for n in range(150)]
        acknowledged.append(app.enqueue("jobs.slow", 150, 0.5, queue="q").id)
        until(lambda: begun(shop))
        acknowledged += app.using("jobs.work", queue="q").enqueue_many([(n,) for n in range(151, 300)])
        durable.kill()
        with pytest.raises(Unavailable):
            app.enqueue("jobs.work", -1, queue="q")
        until(lambda: worker.log.count("Waiting for it to come back") == outage)  # noqa: B023 - it is called at once
        durable.start()
    assert [app.job(job_id).result(60) for job_id in acknowledged] == [*range(300), *range(300)]
    assert worker.running
    stop(worker)
    assert worker.log.count("Waiting for it to come back") == worker.log.count("the server is back") == 2, worker.log
    assert worker.log.count("The duties will be tried again") <= 2, worker.log
    assert "Traceback" not in worker.log
    app.broker.close()


def test_a_call_waits_for_a_server_that_is_only_restarted(durable: Server) -> None:
    app = Postroom(durable.url, deadline=20)
    before = app.enqueue("t")
    durable.kill()
    durable.start()
    after = app.enqueue("t")
    assert (before.status(), after.status()) == ("queued", "queued")
    app.broker.close()


def test_an_outage_is_told_within_the_deadline(durable: Server) -> None:
    app = Postroom(durable.url, deadline=0.4)
    job = app.enqueue("t")
    durable.kill()
    for call in (lambda: app.enqueue("t"), job.status, job.cancel, job.delete, lambda: job.result(10)):
        began = time.monotonic()
        with pytest.raises(Unavailable, match=r"was not reached: .*Is the server running there\?"):
            call()
        assert time.monotonic() - began < 2
    durable.start()
    assert job.status() == "queued"
    app.broker.close()


def test_an_answer_is_final_also_after_a_lost_reply(server: Server, app: Postroom) -> None:
    app.enqueue("t", job_id="taken")
    with Proxy(server.url, 1, AFTER) as proxy:
        far = Postroom(proxy.url)
        with pytest.raises(DuplicateJob):
            far.enqueue("t", job_id="taken")
        assert proxy.commands == 2
        far.broker.close()


def test_a_worker_stops_though_the_server_is_away(shop: Program, durable: Server) -> None:
    app = Postroom(durable.url)
    worker = shop.worker("jobs:app", POSTROOM_DEADLINE="0.3", POSTROOM_LEASE="1")
    job = app.enqueue("jobs.slow", 1, 1.0, queue="q")
    until((shop.folder / "ran").exists)
    durable.kill()
    worker.says("was not reached")
    began = time.monotonic()
    worker.signal(signal.SIGTERM)
    time.sleep(1)
    assert worker.running, "it hopes to deliver its result within the grace"
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert time.monotonic() - began < 10
    durable.start()
    other = shop.worker("jobs:app", POSTROOM_LEASE="1")
    assert job.result(60) == 1, "the lease of the first runs out, and another one runs it"
    stop(other)
    app.broker.close()
