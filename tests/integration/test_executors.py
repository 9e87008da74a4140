"""Where jobs run: in processes of their own, as coroutines, in threads; how each is stopped; which queue is next."""

import asyncio
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from postroom import Job, Postroom
from postroom.jobs.errors import JobCanceled, JobFailed
from tests.integration.programs import Program, children, until, working
from tests.integration.test_pool import alive, clean, enqueue, field, noted, stop, times

JOBS = """
import asyncio, ctypes, os, re, subprocess, sys, time
from pathlib import Path
from postroom import Postroom, current_job

app = Postroom()

def note(text):
    with open("ran", "a") as file:
        file.write(f"{text} {os.getpid()} {time.time()}\\n")

@app.task(queue="q")
def beside(seconds):
    note("beside")
    end = time.monotonic() + seconds
    while time.monotonic() < end and not os.path.exists("enough"):
        time.sleep(0.01)
    return os.getpid()

@app.task(queue="q")
def work(n, seconds=0.0):
    note(n)
    time.sleep(seconds)
    return n

@app.task(queue="q", isolate=True)
def talk():
    print("hello from a handler")
    os.write(1, b"\\x00\\x00\\x00\\x05bytes")
    subprocess.run(["echo", "hello from its child"], check=True)
    assert sys.stdin.read() == ""
    return os.getpid()

@app.task(queue="q", isolate=True)
def large():
    return "x" * 500_000

@app.task(queue="q", isolate=True)
def crash(how):
    note("crash")
    ctypes.string_at(0) if how == "segfault" else os._exit(3)

@app.task(queue="q", isolate=True, timeout=1)
def hang():
    note("hang")
    re.match(r"(a+)+$", "a" * 60 + "b")

@app.task(queue="q", isolate=True, timeout=1)
def sleepy():
    note("sleepy")
    while True:
        time.sleep(0.01)

@app.task(queue="q", isolate=True)
def wait_long():
    note("wait")
    child = subprocess.Popen(["sleep", "60"])
    Path("child").write_text(str(child.pid))
    child.wait()

@app.task(queue="q", isolate=True)
def rest(seconds):
    note("rest")
    time.sleep(seconds)

@app.task(queue="q", isolate=True)
def fail():
    raise ValueError("no")

@app.task(queue="q")
async def block(seconds):
    note("block")
    time.sleep(seconds)

@app.task(queue="q")
async def wait_a_bit(n):
    note(f"bit-{n}")
    await asyncio.sleep(60 if len(open("ran").read().split(f"bit-{n} ")) == 2 else 0)
    return n
"""


@pytest.fixture
def shop(program: Program) -> Program:
    """A user's `jobs.py`."""
    program.write("jobs.py", JOBS)
    return program


def reason(job: Job[Any], seconds: float = 20) -> str:
    """Why it is a dead letter."""
    with pytest.raises(JobFailed) as failed:
        job.result(seconds)
    return failed.value.reason


def heard(client: Any) -> None:
    """Wait until the workers listen to cancellations; those of the test before may still do."""

    def all_listen() -> bool:
        wanted = {b"postroom:control:" + process for process in client.zrange("postroom:leases", 0, -1)}
        return bool(wanted) and wanted <= set(client.pubsub_channels("postroom:control:*"))

    until(all_listen)


def test_an_isolated_job_runs_in_another_process_and_may_print(shop: Program, app: Postroom, client: Any) -> None:
    worker = shop.worker("jobs:app")
    (child,) = children(worker.pid)
    talks = [enqueue(app, "talk") for _ in range(6)]
    used = {job.result(20) for job in talks}
    assert child not in used
    assert 1 <= len(used) <= (os.cpu_count() or 1), "they are used again"
    large = enqueue(app, "large")
    assert large.result(20) == "x" * 500_000
    assert reason(enqueue(app, "fail")) == "ValueError: no"
    assert worker.log.count("hello from a handler") == worker.log.count("hello from its child") == 6
    stop(worker)
    until(lambda: not any(alive(pid) for pid in used), 2)
    assert clean(client)


def test_the_crash_of_an_isolated_job_harms_nobody(shop: Program, app: Postroom, client: Any) -> None:
    worker = shop.worker("jobs:app")
    (child,) = children(worker.pid)
    beside = enqueue(app, "beside", 30)
    until(lambda: noted(shop))
    bad = [enqueue(app, "crash", how) for how in ("segfault", "exit")]
    reasons = [reason(job) for job in bad]
    shop.write("enough", "")
    assert reasons == [
        "poison: 3 processes died while they ran it, the last by signal 11 (SIGSEGV)",
        "poison: 3 processes died while they ran it, the last by exit code 3",
    ]
    assert len(times(shop, "crash")) == 6
    assert beside.result(20) == child
    assert len(times(shop, "beside")) == 1, "it ran on"
    assert enqueue(app, "large").result(20)
    assert children(worker.pid) == [child]
    stop(worker)
    assert clean(client)


def test_the_hang_of_an_isolated_job_harms_nobody(shop: Program, app: Postroom, client: Any) -> None:
    worker = shop.worker("jobs:app", POSTROOM_HARD_GRACE="0.5")
    (child,) = children(worker.pid)
    beside = enqueue(app, "beside", 30)
    jobs = [enqueue(app, "hang"), enqueue(app, "sleepy")]
    assert [reason(job) for job in jobs] == ["TimeoutError: the handler ran longer than its timeout of 1 s"] * 2
    assert (len(times(shop, "hang")), len(times(shop, "sleepy"))) == (1, 1)
    shop.write("enough", "")
    assert beside.result(20) == child
    hung, sleepy = (next(pid for text, pid, _ in noted(shop) if text == name) for name in ("hang", "sleepy"))
    assert not alive(hung), "it had to be killed"
    assert alive(sleepy), "it heard its alarm"
    assert children(worker.pid) == [child]
    stop(worker)
    assert clean(client)


def test_a_canceled_isolated_job_is_killed_with_its_own_children(shop: Program, app: Postroom, client: Any) -> None:
    worker = shop.worker("jobs:app")
    heard(client)
    job = enqueue(app, "wait_long")
    path = Path(shop.folder / "child")
    grandchild = int(until(lambda: path.exists() and path.read_text()))
    ((_, isolated, _),) = noted(shop)
    assert job.cancel()
    until(lambda: not alive(isolated) and not alive(grandchild), 3)
    assert job.status() == "canceled"
    with pytest.raises(JobCanceled):
        job.result(5)
    assert enqueue(app, "large").result(20)
    assert len(noted(shop)) == 1
    assert field(client, job, "p:deaths") is None
    stop(worker)
    assert clean(client)


def test_300_coroutines_wait_at_the_same_time(app: Postroom, client: Any) -> None:
    @app.task(name="nap", queue="q")
    async def nap(number: int) -> int:
        await asyncio.sleep(0.2)
        return number

    with working(app, concurrency=1):
        began = time.monotonic()
        jobs = nap.enqueue_many([(n,) for n in range(300)])
        assert [app.job(job_id).result(20) for job_id in jobs] == list(range(300))
        assert time.monotonic() - began < 3
    assert clean(client)


def test_a_coroutine_is_canceled_when_its_time_is_over(app: Postroom, client: Any) -> None:
    cleaned: list[str] = []

    @app.task(name="wait", queue="q", timeout=1)
    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.append("up")

    with working(app):
        began = time.monotonic()
        assert reason(wait.enqueue()) == "TimeoutError: the handler ran longer than its timeout of 1 s"
        assert 0.9 < time.monotonic() - began < 4
    assert cleaned == ["up"]
    assert clean(client)


def test_a_canceled_coroutine_ends_early(app: Postroom, client: Any) -> None:
    began, ended = threading.Event(), threading.Event()

    @app.task(name="wait", queue="q")
    async def wait() -> None:
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    with working(app):
        heard(client)
        job = wait.enqueue()
        assert began.wait(20)
        assert job.cancel()
        assert ended.wait(2)
        assert job.status() == "canceled"
        until(lambda: not client.zcard("rq:wip:q"))
    assert job.status() == "canceled"
    assert clean(client)


def test_a_canceled_thread_that_computes_is_interrupted(app: Postroom, client: Any) -> None:
    began, ended = threading.Event(), threading.Event()

    @app.task(name="compute", queue="q")
    def compute(seconds: float) -> str:
        began.set()
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                sum(range(100))
        finally:
            ended.set()
        return "done"

    with working(app, concurrency=1):
        heard(client)
        job = compute.enqueue(30)
        assert began.wait(20)
        assert job.cancel()
        assert ended.wait(3)
        assert compute.enqueue(0.01).result(20) == "done", "the thread goes on with the next job"
        assert job.status() == "canceled"
    assert clean(client)


def test_the_interruption_does_not_strike_the_next_job(app: Postroom, client: Any) -> None:
    @app.task(name="short", queue="q")
    def short(number: int) -> int:
        end = time.monotonic() + 0.01
        while time.monotonic() < end:
            pass
        return number

    with working(app, concurrency=2):
        heard(client)
        jobs = [short.enqueue(n) for n in range(120)]
        for job in jobs[::2]:
            job.cancel()
        assert [job.result(20) for job in jobs[1::2]] == list(range(1, 120, 2))
        until(lambda: all(job.status() in ("canceled", "finished") for job in jobs))
    assert clean(client)


def test_a_coroutine_that_blocks_its_loop_is_killed_and_its_neighbours_run_again(
    shop: Program, app: Postroom, client: Any
) -> None:
    worker = shop.worker("jobs:app", POSTROOM_HARD_GRACE="0.5")
    neighbours = [enqueue(app, "wait_a_bit", n) for n in range(3)]
    until(lambda: len(noted(shop)) == 3)
    bad = enqueue(app, "block", 60, timeout=1)
    assert reason(bad) == "TimeoutError: the handler ran longer than its timeout of 1 s"
    assert [job.result(20) for job in neighbours] == [0, 1, 2]
    assert {field(client, job, name) for job in neighbours for name in ("p:deaths", "p:attempt")} == {None}
    assert len(times(shop, "block")) == 1
    stop(worker)
    assert clean(client)


def test_queues_with_weights_take_turns(shop: Program, app: Postroom) -> None:
    for queue, count in (("b", 40), ("a", 30)):
        app.using("jobs.work", queue=queue).enqueue_many([(queue, 0.03) for _ in range(count)])
    run = shop.run("-m", "postroom", "worker", "jobs:app", "a:3", "b:1", "-c", "1", "--burst")
    assert run.returncode == 0, run.stderr
    order = "".join(text for text, _, _ in noted(shop))
    assert len(order) == 70
    meanwhile = order[: order.rindex("a")]
    assert 5 <= meanwhile.count("b") <= 15, order
    assert "bbb" not in meanwhile, order


@pytest.mark.parametrize("queues", [("a:0",), ("a:3", "b"), ("a:-2",)])
def test_wrong_weights_end_it_with_2(queues: tuple[str, ...], shop: Program, client: Any) -> None:
    run = shop.run("-m", "postroom", "worker", "jobs:app", *queues)
    assert run.returncode == 2, run.stderr
    assert "weight" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_paused_queue_is_left_alone_and_a_resumed_one_is_taken_at_once(app: Postroom) -> None:
    @app.task(name="double", queue="q")
    def double(number: int) -> int:
        return 2 * number

    with working(app, "q", "other"):
        assert double.enqueue(1).result(20) == 2
        app.queue("q").pause()
        job = double.enqueue(2)
        assert double.using(queue="other").enqueue(3).result(20) == 6
        time.sleep(0.7)
        assert (job.status(), len(app.queue("q"))) == ("queued", 1)
        began = time.monotonic()
        app.queue("q").resume()
        assert job.result(20) == 4
        assert time.monotonic() - began < 1.2


def test_a_pause_stops_a_drain_and_loses_nothing(shop: Program, app: Postroom, client: Any) -> None:
    worker = shop.worker("jobs:app", "q", "-p", "2", "-c", "2")
    jobs = app.using("jobs.work", queue="q").enqueue_many([(n, 0.01) for n in range(500)])
    until(lambda: len(noted(shop)) > 40)
    app.queue("q").pause()
    time.sleep(0.5)
    left = len(app.queue("q"))
    assert left > 0
    done = until(lambda: not client.zcard("rq:wip:q") and len(noted(shop)))
    time.sleep(0.5)
    assert (len(noted(shop)), len(app.queue("q"))) == (done, left)
    app.queue("q").resume()
    assert [app.job(job_id).result(20) for job_id in jobs] == list(range(500))
    assert len(noted(shop)) == 500
    stop(worker)
    assert clean(client)


def test_a_killed_worker_takes_its_isolated_processes_with_it(shop: Program, app: Postroom, client: Any) -> None:
    worker = shop.worker("jobs:app")
    (child,) = children(worker.pid)
    job = enqueue(app, "rest", 60)
    until(lambda: noted(shop))
    ((_, isolated, _),) = noted(shop)
    os.kill(child, signal.SIGKILL)
    until(lambda: not alive(isolated), 2)
    until(lambda: len(times(shop, "rest")) == 2)
    assert field(client, job, "p:deaths") is None, "its own process was not to blame"
    assert job.cancel()
    stop(worker)
    assert clean(client)
