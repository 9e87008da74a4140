"""The pool: worker processes die, hang, are stopped and replaced, and only the job that is to blame pays for it."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from postroom import Job, Postroom
from postroom.jobs.errors import JobFailed
from postroom.jobs.failure import failures
from tests.integration.programs import Process, Program, children, until

JOBS = """
import ctypes, os, re, sys, time
from pathlib import Path
from postroom import Postroom, current_job

app = Postroom()

def note(text):
    with open("ran", "a") as file:
        file.write(f"{text} {os.getpid()} {time.time()}\\n")

def first(text):
    note(text)
    return [line.split()[0] for line in open("ran")].count(text) == 1

@app.task(queue="q")
def work(n, seconds=0.0):
    note(f"work-{n}")
    time.sleep(seconds)
    return n

@app.task(queue="q")
def once_slow(n, seconds):
    if first(f"slow-{n}"):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.01)
    return n

@app.task(queue="q")
def crash():
    note("crash")
    ctypes.string_at(0)

@app.task(queue="q", timeout=1)
def hold_the_gil():
    note("hold")
    re.match(r"(a+)+$", "a" * 60 + "b")

@app.task(queue="q", isolate=True)
def apart(seconds):
    note("apart")
    time.sleep(seconds)
    return os.getpid()
"""


@pytest.fixture
def shop(program: Program) -> Program:
    """A user's `jobs.py`."""
    program.write("jobs.py", JOBS)
    return program


def noted(shop: Program) -> list[tuple[str, int, float]]:
    """What the handlers noted, in order: text, process, time."""
    path = Path(shop.folder / "ran")
    lines = path.read_text().splitlines() if path.exists() else []
    return [(text, int(pid), float(at)) for text, pid, at in map(str.split, lines)]


def times(shop: Program, text: str) -> list[float]:
    """When the handlers noted `text`."""
    return [at for one, _, at in noted(shop) if one == text]


def pids(shop: Program) -> set[int]:
    """The processes whose handlers noted something."""
    return {pid for _, pid, _ in noted(shop)}


def enqueue(app: Postroom, task: str, *args: object, **options: Any) -> Job[Any]:
    return app.enqueue(f"jobs.{task}", *args, queue="q", **options)


def alive(pid: int) -> bool:
    """Does it run? A zombie does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def clean(client: Any) -> bool:
    """Nobody holds anything."""
    return not client.zcard("rq:wip:q") and not client.keys("postroom:held:*") and not client.zcard("postroom:leases")


def field(client: Any, job: Job[Any], name: str) -> bytes | None:
    found: bytes | None = client.hget(f"rq:job:{job.id}", name)
    return found


def stop(*workers: Process) -> None:
    for worker in workers:
        worker.signal(signal.SIGTERM)
    for worker in workers:
        assert worker.wait() == 0, worker.log


def ready(worker: Process, processes: int) -> None:
    """Wait until so many worker processes were started and take jobs."""
    until(lambda: worker.log.count(" takes ") >= processes)


def test_two_processes_share_a_queue_and_end_together(shop: Program, app: Postroom, client: Any) -> None:
    worker = shop.worker("jobs:app", "-p", "2", "-c", "2")
    ready(worker, 2)
    slow = [enqueue(app, "once_slow", n, 0.7) for n in range(4)]
    assert [job.result(20) for job in slow] == [0, 1, 2, 3]
    assert pids(shop) == set(children(worker.pid))
    assert len(pids(shop)) == 2
    many = app.using("jobs.work", queue="q").enqueue_many([(n,) for n in range(300)])
    assert [app.job(job_id).result(20) for job_id in many] == list(range(300))
    assert len(noted(shop)) == 304, "each ran once"
    stop(worker)
    assert not any(alive(pid) for pid in pids(shop))
    assert clean(client)


def test_two_processes_end_a_burst_together(shop: Program, app: Postroom, client: Any) -> None:
    many = app.using("jobs.work", queue="q").enqueue_many([(n,) for n in range(200)])
    run = shop.run("-m", "postroom", "worker", "jobs:app", "-p", "2", "--burst")
    assert run.returncode == 0, run.stderr
    assert [app.job(job_id).result(0) for job_id in many] == list(range(200))
    assert clean(client)


def test_what_a_killed_child_held_runs_again_at_once(shop: Program, app: Postroom, client: Any) -> None:
    worker = shop.worker("jobs:app", "-c", "1")
    (child,) = children(worker.pid)
    app.using("jobs.work", queue="q").enqueue_many([(1000 + n,) for n in range(200)])
    until(lambda: len(noted(shop)) == 200)  # it has seen short jobs: now it claims ahead
    until(lambda: client.zcard("rq:finished:q") == 200)
    slow, *rest = app.using("jobs.once_slow", queue="q").enqueue_many([(n, 60 if n == 0 else 0) for n in range(20)])
    until(lambda: times(shop, "slow-0"))
    killed = time.time()
    os.kill(child, signal.SIGKILL)
    assert [app.job(job_id).result(20) for job_id in (slow, *rest)] == list(range(20))
    assert times(shop, "slow-0")[1] - killed < 3
    redelivered = [job_id for job_id in rest if client.hget(f"rq:job:{job_id}", "p:redelivered") == b"1"]
    assert redelivered, "it held some that it had not begun"
    assert all(len(times(shop, f"slow-{n}")) == 1 for n in range(1, 20)), "they ran once"
    assert min(times(shop, "slow-1")) - killed < 3
    assert client.hget(f"rq:job:{slow}", "p:deaths") == b"1"
    (failure,) = failures(client.hgetall(f"rq:job:{slow}"))
    assert failure.death is not None
    assert (failure.death.exit_code, failure.death.how) == (-9, "signal 9 (SIGKILL)")
    assert failure.death.peak_bytes > 10_000_000
    assert [client.hget(f"rq:job:{job_id}", "p:deaths") for job_id in rest] == [None] * 19
    # What the killed one had forked is the pool's child now, until it has ended and was seen off.
    (other,) = until(lambda: len(found := children(worker.pid)) == 1 and found)
    assert other != child
    stop(worker)
    assert clean(client)


def test_a_child_that_dies_just_when_the_pool_is_told_to_end(shop: Program, app: Postroom, client: Any) -> None:
    worker = shop.worker("jobs:app", "-p", "2", "-c", "1")
    ready(worker, 2)
    job = enqueue(app, "once_slow", 1, 60)
    until(lambda: noted(shop))
    (child,) = pids(shop)
    worker.signal(signal.SIGSTOP)
    os.kill(child, signal.SIGKILL)
    until(lambda: not alive(child))
    worker.signal(signal.SIGTERM)
    worker.signal(signal.SIGCONT)
    assert worker.wait() == 0, worker.log
    assert "Traceback" not in worker.log
    assert job.status() in {"queued", "finished"}, "back on the queue, where the other child may have been quicker"
    assert field(client, job, "p:deaths") == b"1"
    assert clean(client)


def test_a_segfault_is_a_dead_letter_and_its_neighbours_finish(shop: Program, app: Postroom, client: Any) -> None:
    worker = shop.worker("jobs:app", "-c", "4")
    (child,) = children(worker.pid)
    neighbours = [enqueue(app, "once_slow", n, 60) for n in range(2)]
    until(lambda: len(noted(shop)) == 2)
    bad = enqueue(app, "crash")
    with pytest.raises(JobFailed) as failed:
        bad.result(20)
    assert failed.value.reason.startswith("poison: 3 processes died while they ran it")
    assert "SIGSEGV" in failed.value.reason
    assert [job.result(20) for job in neighbours] == [0, 1]
    assert [len(times(shop, text)) for text in ("crash", "slow-0", "slow-1")] == [3, 2, 2]
    assert [field(client, job, "p:attempt") for job in neighbours] == [None, None]
    assert worker.log.count("of its jobs are back on their queues") == 1, "only its first run cost a worker"
    assert enqueue(app, "work", 5).result(20) == 5
    (other,) = until(lambda: len(found := children(worker.pid)) == 1 and found)
    assert other != child
    stop(worker)
    assert clean(client)


def test_past_its_hard_deadline_a_job_is_killed_and_its_neighbour_runs_again(
    shop: Program, app: Postroom, client: Any
) -> None:
    worker = shop.worker("jobs:app", "-c", "4", POSTROOM_HARD_GRACE="0.5", POSTROOM_LEASE="1")
    neighbour = enqueue(app, "once_slow", 1, 60)
    until(lambda: noted(shop))
    bad = enqueue(app, "hold_the_gil")
    with pytest.raises(JobFailed, match="TimeoutError: the handler ran longer than its timeout of 1 s"):
        bad.result(20)
    assert neighbour.result(20) == 1
    assert (len(times(shop, "hold")), len(times(shop, "slow-1"))) == (1, 2)
    assert 1.5 <= times(shop, "slow-1")[1] - times(shop, "hold")[0] < 6
    assert field(client, neighbour, "p:redelivered") == b"1"
    assert (field(client, neighbour, "p:deaths"), field(client, neighbour, "p:attempt")) == (None, None)
    assert "past its hard deadline" in worker.log
    assert "had ended" not in worker.log, "its lease was kept from outside while the GIL was held"
    stop(worker)
    assert clean(client)


def test_a_killed_pool_takes_its_processes_with_it(shop: Program, app: Postroom, client: Any) -> None:
    first = shop.worker("jobs:app", "-p", "2", "-c", "2", POSTROOM_LEASE="1")
    ready(first, 2)
    jobs = [enqueue(app, "once_slow", n, 60) for n in range(2)]
    isolated = enqueue(app, "apart", 60)
    until(lambda: len(noted(shop)) == 3)
    family = {*children(first.pid), *pids(shop)}
    assert len(family) == 3, "two workers, one isolated process"
    first.kill()
    until(lambda: not any(alive(pid) for pid in family), 2)
    second = shop.worker("jobs:app", POSTROOM_LEASE="1")
    assert [job.result(20) for job in jobs] == [0, 1]
    until(lambda: len(times(shop, "apart")) == 2)
    assert {field(client, job, "p:deaths") for job in (*jobs, isolated)} == {None}, "a lost pool charges nobody"
    assert isolated.cancel()
    stop(second)
    assert until(lambda: clean(client))


def test_processes_are_recycled_and_nothing_is_lost(shop: Program, app: Postroom, client: Any) -> None:
    worker = shop.worker("jobs:app", "-p", "2", "-c", "2", "--max-jobs", "40")
    many = app.using("jobs.work", queue="q").enqueue_many([(n, 0.005) for n in range(250)])
    assert [app.job(job_id).result(30) for job_id in many] == list(range(250))
    assert len(noted(shop)) == 250, "each ran once"
    assert len(pids(shop)) > 2
    assert "and makes room for another" in worker.log
    until(lambda: len(children(worker.pid)) == 2)
    stop(worker)
    assert clean(client)


DYING = """
import os, sys
if "worker_process" in sys.argv[0] and not os.path.exists("healed"):
    os._exit(3)
"""


def test_a_process_that_dies_at_its_start_is_tried_again_less_and_less_often(shop: Program, app: Postroom) -> None:
    shop.write("jobs.py", DYING + JOBS)
    job = enqueue(app, "work", 1)
    worker = shop.start("-m", "postroom", "worker", "jobs:app")
    for pause in ("0.1", "0.2"):
        worker.says(f"died by exit code 3 before its first claim; again in {pause} s")
    shop.write("healed", "")
    assert job.result(20) == 1
    stop(worker)


def test_a_pool_whose_processes_die_at_their_start_ends_when_told(shop: Program, client: Any) -> None:
    shop.write("jobs.py", DYING + JOBS)
    worker = shop.start("-m", "postroom", "worker", "jobs:app", "-p", "2")
    worker.says("before its first claim; again in 0.2 s")
    began = time.monotonic()
    stop(worker)
    assert time.monotonic() - began < 4


def test_a_stopped_process_keeps_its_jobs_until_their_hard_deadline(shop: Program, app: Postroom, client: Any) -> None:
    """A handler that holds the GIL for long looks the same from outside."""
    worker = shop.worker("jobs:app", "-c", "1", POSTROOM_LEASE="0.6")
    (child,) = children(worker.pid)
    job = enqueue(app, "once_slow", 1, 0.5)
    until(lambda: noted(shop))
    os.kill(child, signal.SIGSTOP)
    other = shop.worker("jobs:app", POSTROOM_LEASE="0.6")
    time.sleep(4.5)  # its main loop no longer counts as going round, and the lease would have ended
    assert (job.status(), len(noted(shop))) == ("started", 1)
    os.kill(child, signal.SIGCONT)
    assert job.result(20) == 1
    assert (field(client, job, "p:redelivered"), len(noted(shop))) == (None, 1)
    assert children(worker.pid) == [child]
    stop(worker, other)
    assert clean(client)


def test_a_stopped_process_is_killed_at_the_hard_deadline_of_its_job(shop: Program, app: Postroom, client: Any) -> None:
    worker = shop.worker("jobs:app", "-c", "1", POSTROOM_HARD_GRACE="0.5")
    (child,) = children(worker.pid)
    job = enqueue(app, "once_slow", 1, 60, timeout=1)
    until(lambda: noted(shop))
    os.kill(child, signal.SIGSTOP)
    with pytest.raises(JobFailed, match="TimeoutError"):
        job.result(10)
    assert enqueue(app, "work", 5).result(20) == 5
    assert not alive(child)
    stop(worker)
    assert clean(client)
