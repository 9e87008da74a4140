"""The program that is run under faults. Its handlers have one effect each: a line in the history of their case."""

import asyncio
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tenacity import stop_after_attempt, wait_fixed, wait_none

from postroom import Burial, Limit, Postroom, Retry
from postroom.jobs import calls
from postroom.jobs.context import current
from tests.fault.failpoint import arm
from tests.fault.history import BOUNDS, PLACES, SKEW, History
from tests.fault.unfenced import unbound_if_asked, unfence_if_asked, unlimit_if_asked, unlock_if_asked

if SKEW in os.environ:
    true_time, skew = time.time, float(os.environ[SKEW])
    time.time = lambda: true_time() + skew


unfence_if_asked()
unlock_if_asked()
unbound_if_asked()
unlimit_if_asked()
app = Postroom(unknown_task_ttl=600)
history = History.from_environ()
arm(history)


@contextmanager
def recorded() -> Iterator[None]:
    """Write down the start of a run and how it ended."""
    job = current.get()
    about = (job.id, job.fence, job.attempt)
    history.run("start", *about)
    try:
        yield
    except BaseException:
        history.run("fail", *about)
        raise
    history.run("end", *about)


@app.task(name="work")
def work(seconds: float = 0.0) -> None:
    """The ordinary job."""
    with recorded():
        time.sleep(seconds)


@app.task(name="nap")
async def nap(seconds: float = 0.0) -> None:
    """The ordinary coroutine job."""
    with recorded():
        await asyncio.sleep(seconds)


@app.task(name="flaky", retry=Retry(stop=stop_after_attempt(5), wait=wait_fixed(0.1)))
def flaky(fails: int) -> None:
    """Raises in its first `fails` attempts."""
    with recorded():
        if current.get().attempt <= fails:
            raise ConnectionError("as told")


@app.task(name="broken")
def broken() -> None:
    """A dead letter."""
    with recorded():
        raise ValueError("as told")


@app.task(name="eager", retry=Retry(stop=stop_after_attempt(5), wait=wait_none()))
def eager(fails: int) -> None:
    """Raises in its first `fails` attempts, and is tried again at once."""
    with recorded():
        if current.get().attempt <= fails:
            raise ConnectionError("as told")


@app.task(name="ordered", retry=Retry(stop=stop_after_attempt(5), wait=wait_fixed(0.1)))
def ordered(key: str, number: int, fails: int = 0, seconds: float = 0.0) -> None:
    """One of the jobs of a key. Raises in its first `fails` attempts."""
    job_id = current.get().id
    with recorded():
        history.order("start", key, number, job_id)
        time.sleep(seconds)
        if current.get().attempt <= fails:
            history.order("fail", key, number, job_id)
            raise ConnectionError("as told")
        history.order("end", key, number, job_id)


@app.task(
    name="crowded",
    retry=Retry(stop=stop_after_attempt(5), wait=wait_fixed(0.1)),
    limit=Limit(concurrency=PLACES, by=lambda key, *_: str(key)),
)
def crowded(key: str, number: int, fails: int = 0, seconds: float = 0.0) -> None:
    """One of the jobs of a key, of which so many may run at once. Raises in its first `fails` attempts."""
    ordered(key, number, fails, seconds)


@app.task(name="bounded")
def bounded(seconds: float = 0.0, parents: float = math.inf) -> None:
    """Writes down its deadline, the server's time when it began, and the deadline of the job that made it."""
    run, now = current.get(), app.broker.run(calls.server_time())
    with recorded():
        history.note(BOUNDS, f"{run.id} {run.ends} {now} {parents}")
        time.sleep(seconds)


@app.task(name="tree")
def tree(seconds: float) -> None:
    """Has children that wait for an hour, and one that does not, and may be canceled before or after that."""
    with recorded():
        ends = current.get().ends
        assert ends is not None
        waiting = app.using("work", queue=current.get().queue, delay=3600, deadline=7200)
        history.acked(*waiting.enqueue_many([(0.0,)] * 3))
        history.acked(app.using("bounded", queue=current.get().queue, deadline=900).enqueue(0.0, ends).id)
        time.sleep(seconds)


@app.on_dead(name="tell", queue="nobody's")
def tell(_: Burial) -> None:
    """Makes the duty of telling look at each dead letter, and is told of none: of its jobs no producer would know."""


@app.task(name="patient")
def patient(seconds: float) -> None:
    """Can be interrupted, for it sleeps in small pieces."""
    with recorded():
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.02)


@app.task(name="overrun", timeout=1)
def overrun() -> None:
    """Overruns its hard deadline, deaf to alarms."""
    with recorded():
        time.sleep(3600)


@app.task(name="overrun_once", timeout=1, retry=Retry(stop=stop_after_attempt(5), wait=wait_none()))
def overrun_once() -> None:
    """Overruns in its first attempt."""
    with recorded():
        if current.get().attempt == 1:
            time.sleep(3600)
