"""`postroom worker` as a process: it drains, it stops when told, and what it leaves others finish."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from postroom import Job, Postroom
from tests.integration.programs import Process, Program, until

JOBS = """
import os, time
from pathlib import Path
from postroom import Postroom, current_job

app = Postroom()
ran = Path("ran")

def note(text):
    with ran.open("a") as file:
        file.write(f"{text} {os.getpid()} {current_job.fence}\\n")

@app.task(queue="q")
def work(n):
    note(f"work-{n}")
    return n

@app.task(queue="q")
def slow(n, seconds):
    note(f"begin-{n}")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)
    note(f"end-{n}")
    return n

@app.task(queue="q")
def follow(n):
    note(f"follow-{n}")
    if n:
        follow.enqueue(n - 1)
"""
SHORT = {"POSTROOM_LEASE": "1"}


@pytest.fixture
def shop(program: Program) -> Program:
    """A user's `jobs.py`."""
    program.write("jobs.py", JOBS)
    return program


def ran(shop: Program) -> list[str]:
    """What the handlers noted, in order."""
    path = Path(shop.folder / "ran")
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def enqueue(app: Postroom, task: str, *args: object) -> Job[int]:
    return app.enqueue(f"jobs.{task}", *args, queue="q")


def ids(client: Any) -> list[str]:
    return [job_id.decode() for job_id in client.lrange("rq:queue:q", 0, -1)]


def clean(client: Any) -> bool:
    """Nobody holds anything."""
    return not client.zcard("rq:wip:q") and not client.keys("postroom:held:*") and not client.zcard("postroom:leases")


def test_a_burst_drains_and_ends_with_0(shop: Program, app: Postroom, client: Any) -> None:
    jobs = app.using("jobs.work", queue="q").enqueue_many([(n,) for n in range(300)])
    run = shop.run("-m", "postroom", "worker", "jobs:app", "--burst")
    assert run.returncode == 0, run.stderr
    assert [app.job(job_id).result(0) for job_id in jobs] == list(range(300))
    assert clean(client)


@pytest.mark.parametrize("concurrency", ["1", "10"])
def test_a_burst_also_runs_what_its_jobs_enqueue(concurrency: str, shop: Program, app: Postroom) -> None:
    for n in range(5):
        enqueue(app, "follow", 20 + n)
    run = shop.run("-m", "postroom", "worker", "jobs:app", "--burst", "-c", concurrency)
    assert run.returncode == 0, run.stderr
    assert len(ran(shop)) == sum(21 + n for n in range(5))


def test_only_the_queues_that_are_named(shop: Program, app: Postroom, client: Any) -> None:
    here, there = app.enqueue("jobs.work", 1, queue="here"), app.enqueue("jobs.work", 2, queue="q")
    assert shop.run("-m", "postroom", "worker", "jobs:app", "here", "--burst").returncode == 0
    assert (here.status(), there.status()) == ("finished", "queued")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_first_signal_lets_running_jobs_end_and_gives_the_others_back_in_order(
    number: signal.Signals, shop: Program, app: Postroom, client: Any
) -> None:
    worker = shop.worker("jobs:app", "-c", "2")
    running = [enqueue(app, "slow", n, 1.0) for n in range(2)]
    until(lambda: len(ran(shop)) == 2)
    waiting = [enqueue(app, "work", n) for n in range(20)]
    worker.signal(number)
    assert worker.wait() == 0, worker.log
    assert sorted(ran(shop)[2:]) == ["end-0", "end-1"]
    assert [job.result(0) for job in running] == [0, 1]
    assert ids(client) == [job.id for job in waiting]
    assert {job.status() for job in waiting} == {"queued"}
    assert clean(client)


def test_jobs_claimed_and_not_begun_are_given_back_in_order(shop: Program, app: Postroom, client: Any) -> None:
    worker = shop.worker("jobs:app", "-c", "1")
    for n in range(200):
        enqueue(app, "work", n)
    until(lambda: len(ran(shop)) == 200)  # it has seen short jobs: now it claims ahead
    calls = [("slow", (0, 1.5)), *(("work", (1000 + n,)) for n in range(30))]
    jobs = [enqueue(app, task, *args) for task, args in calls]
    until(lambda: "begin-0" in ran(shop))
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0, worker.log
    assert jobs[0].result(0) == 0
    assert ids(client) == [job.id for job in jobs[1:]]
    assert clean(client)


def test_a_second_signal_gives_running_jobs_back(shop: Program, app: Postroom, client: Any) -> None:
    worker = shop.worker("jobs:app", "-c", "2")
    jobs = [enqueue(app, "slow", n, 60) for n in range(2)]
    until(lambda: len(ran(shop)) == 2)
    worker.signal(signal.SIGTERM)
    time.sleep(0.2)
    assert worker.running, "it waits for its jobs"
    worker.signal(signal.SIGTERM)
    assert worker.wait(10) == 0, worker.log
    assert sorted(ids(client)) == sorted(job.id for job in jobs)
    assert {job.status() for job in jobs} == {"queued"}
    assert clean(client)


def test_an_idle_worker_ends_at_once(shop: Program, client: Any) -> None:
    worker = shop.worker("jobs:app")
    began = time.monotonic()
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert time.monotonic() - began < 4
    assert clean(client)


def test_what_a_killed_worker_held_another_one_runs(shop: Program, app: Postroom, client: Any) -> None:
    first = shop.worker("jobs:app", "-c", "3", **SHORT)
    jobs = [enqueue(app, "slow", n, 1.0) for n in range(3)] + [enqueue(app, "work", n) for n in range(20)]
    until(lambda: len(ran(shop)) >= 3)
    first.signal_all(signal.SIGSTOP)  # what it runs must not end before the other one is there
    second = shop.worker("jobs:app", "-c", "10", **SHORT)
    first.kill()
    assert [job.result(30) for job in jobs] == [0, 1, 2, *range(20)]
    second.says("is lost; put back")
    second.signal(signal.SIGTERM)
    assert second.wait() == 0
    assert clean(client)
    noted = ran(shop)
    assert [noted.count(f"begin-{n}") for n in range(3)] == [2, 2, 2], "what was running ran again"
    assert {client.hget(f"rq:job:{job.id}", "p:redelivered") for job in jobs[:3]} == {b"1"}


def test_workers_are_killed_all_the_time_and_nothing_is_lost(shop: Program, app: Postroom, client: Any) -> None:
    workers = [shop.worker("jobs:app", "-c", "4", **SHORT) for _ in range(2)]
    jobs = app.using("jobs.slow", queue="q").enqueue_many([(n, 0.02) for n in range(600)])
    for number in range(3):
        enough = 100 * (number + 1)
        until(lambda: client.zcard("rq:finished:q") >= enough)  # noqa: B023 - it is called at once
        workers[number].kill()
        workers.append(shop.worker("jobs:app", "-c", "4", **SHORT))
    until(lambda: client.zcard("rq:finished:q") == 600, 60)
    assert [app.job(job_id).result(0) for job_id in jobs] == list(range(600))
    for worker in workers[3:]:
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
    assert until(lambda: clean(client))


def test_the_late_word_of_a_paused_worker_is_not_accepted(shop: Program, app: Postroom, client: Any) -> None:
    paused = shop.worker("jobs:app", "-c", "1", **SHORT)
    job = enqueue(app, "slow", 7, 0.5)
    until(lambda: ran(shop) == ["begin-7"])
    paused.signal_all(signal.SIGSTOP)
    other = shop.worker("jobs:app", "-c", "1", **SHORT)
    assert job.result(30) == 7
    accepted = client.hgetall(f"rq:job:{job.id}")
    paused.signal_all(signal.SIGCONT)
    paused.says(f"job {job.id}: this claim (token")
    assert "was not accepted" in paused.log
    assert client.hgetall(f"rq:job:{job.id}") == accepted
    assert ran(shop) == ["begin-7", "begin-7", "end-7", "end-7"]
    later = [enqueue(app, "slow", n, 0.3) for n in range(4)]
    assert [one.result(20) for one in later] == [0, 1, 2, 3], "both go on"
    stop(paused, other)
    assert clean(client)


def stop(*workers: Process) -> None:
    for worker in workers:
        worker.signal(signal.SIGTERM)
    for worker in workers:
        assert worker.wait() == 0, worker.log


def test_a_foreign_key_in_a_queues_place_does_not_stop_the_other_queues(
    shop: Program, app: Postroom, client: Any
) -> None:
    client.set("rq:queue:broken", "a text")
    worker = shop.worker("jobs:app", "broken", "q")
    began = time.monotonic()
    assert [enqueue(app, "work", n).result(20) for n in range(20)] == list(range(20))
    assert time.monotonic() - began < 5
    client.delete("rq:queue:broken")
    assert app.enqueue("jobs.work", 1, queue="broken").result(20) == 1
    stop(worker)
    assert worker.log.count("WRONGTYPE") == 1, worker.log


def test_a_foreign_key_in_a_registrys_place_does_not_stop_the_other_queues(
    shop: Program, app: Postroom, client: Any
) -> None:
    client.set("rq:finished:broken", "a text")
    worker = shop.worker("jobs:app", "broken", "q")
    stuck = app.enqueue("jobs.work", 1, queue="broken")
    assert [enqueue(app, "work", n).result(20) for n in range(20)] == list(range(20))
    client.delete("rq:finished:broken")
    assert stuck.result(20) == 1
    stop(worker)


def test_it_says_what_it_does_and_nothing_on_every_job(shop: Program, app: Postroom) -> None:
    worker = shop.worker("jobs:app")
    for n in range(20):
        assert enqueue(app, "work", n).result(20) == n
    stop(worker)
    lines = worker.log.splitlines()
    assert len(lines) == 2, worker.log
    assert "takes q, 10 threads" in lines[0]
    assert "is done" in lines[1]
