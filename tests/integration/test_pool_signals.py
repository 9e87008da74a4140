"""What a pool does when everybody is signalled at once, and when a handler ends its process with a clear conscience."""

import signal
from typing import Any

import pytest

from postroom import Postroom
from postroom.jobs.errors import JobFailed
from tests.integration.programs import Program, until

JOBS = """
import os, time
from pathlib import Path
from postroom import Postroom

app = Postroom()

@app.task(queue="q")
def slow(seconds):
    Path("begun").touch()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)
    return "done"

@app.task(queue="q")
def leave():
    os._exit(0)

@app.task(queue="q")
def work():
    return "done"
"""


@pytest.fixture
def shop(program: Program) -> Program:
    """A user's `jobs.py`."""
    program.write("jobs.py", JOBS)
    return program


def test_a_term_to_all_processes_at_once_still_lets_running_jobs_end(shop: Program, app: Postroom, client: Any) -> None:
    # As systemd and many platforms send it: to the pool and to its processes.
    worker = shop.worker("jobs:app")
    job = app.enqueue("jobs.slow", 1.5, queue="q")
    until((shop.folder / "begun").exists)
    worker.signal_all(signal.SIGTERM)
    assert worker.wait() == 0
    assert job.result(0) == "done"
    assert client.hget(f"rq:job:{job.id}", "p:redelivered") is None
    assert not client.keys("postroom:held:*")


def test_a_handler_that_exits_its_process_is_poison_and_a_burst_goes_on(shop: Program, app: Postroom) -> None:
    leaving = app.enqueue("jobs.leave", queue="q")
    others = [app.enqueue("jobs.work", queue="q") for _ in range(3)]
    assert shop.start("-m", "postroom", "worker", "jobs:app", "--burst", "-c", "1").wait(60) == 0
    with pytest.raises(JobFailed, match="poison: 3 processes died while they ran it, the last by exit code 0"):
        leaving.result(0)
    assert [job.result(0) for job in others] == ["done"] * 3


def test_a_burst_ends_at_a_paused_queue(shop: Program, app: Postroom) -> None:
    app.queue("q").pause()
    job = app.enqueue("jobs.work", queue="q")
    assert shop.start("-m", "postroom", "worker", "jobs:app", "--burst").wait(30) == 0
    assert (job.status(), app.queue("q").paused) == ("queued", True)
    app.queue("q").resume()
    assert shop.start("-m", "postroom", "worker", "jobs:app", "--burst").wait(30) == 0
    assert job.result(0) == "done"
