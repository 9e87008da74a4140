"""The user's app of these tests. Each test has a copy in a folder of its own, where it is the module `shop`.

What runs notes it in the file `notes`. A *seam* is a place where the worker may be killed: where a file of its name
lies in the folder, it is taken away and the process kills itself, so that it dies there once.
"""

import asyncio
import gc
import os
import signal
import sys
import time
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any

from rq import Retry as RqRetry
from rq import get_current_job
from rq.job import Job as RqJob
from tenacity import stop_after_attempt, wait_fixed, wait_none

from postroom import Postroom, Retry, current_job

app = Postroom(
    allow=[
        "shop.multiply",
        "shop.note",
        "shop.on_success",
        "shop.on_success_raise",
        "shop.on_failure",
        "shop.on_failure_raise",
    ],
    pickle=["pickled"],
)


def note(text: str) -> None:
    """Append a line."""
    with Path("notes").open("a") as file:
        file.write(f"{text}\n")


def notes() -> list[str]:
    """What was noted so far."""
    path = Path("notes")
    return path.read_text().splitlines() if path.exists() else []


def seam(name: str) -> None:
    """Die here, if a test says so."""
    try:
        Path(f"die-in-{name}").unlink()
    except FileNotFoundError:
        return
    os.kill(os.getppid(), signal.SIGKILL)  # its pool, too, as when a host is lost: the pool would recover at once
    os.kill(os.getpid(), signal.SIGKILL)


@app.task
def add(a: int, b: int) -> int:
    """A handler that succeeds."""
    note(f"add {a} {b}")
    seam("handler")
    return a + b


@app.task
async def add_later(a: int, b: int) -> int:
    """One that is a coroutine."""
    await asyncio.sleep(0)
    note(f"add_later {a} {b}")
    assert (job := get_current_job()) is None or job.func_name == "shop.add_later"
    return a + b


@app.task
def price(each: Decimal, pieces: int) -> str:
    """One whose argument JSON has no type for."""
    note(f"price {each!r}")
    return str(each * pieces)


def multiply(a: int, b: int) -> int:
    """A plain function that the app allows."""
    note(f"multiply {a} {b}")
    return a * b


@app.task
def fail(text: str) -> None:
    """A handler that fails."""
    note(f"fail {text}")
    raise ValueError(text)


@app.task(retry=Retry(stop=stop_after_attempt(3), wait=wait_none()))
def fail_thrice() -> None:
    """A handler that fails and is tried three times in all."""
    note(f"attempt {current_job.attempt}")
    raise ValueError("thrice")


@app.task(retry=Retry(stop=stop_after_attempt(3), wait=wait_fixed(3600)))
def fail_once() -> str:
    """A handler that fails the first time that it runs."""
    return _fail(1)


@app.task
def fail_twice() -> str:
    """A handler that fails the first two times that it runs."""
    return _fail(2)


def _fail(times: int) -> str:
    note(f"attempt {current_job.attempt if current_job else 'of RQ'}")
    if len([line for line in notes() if line.startswith("attempt")]) <= times:
        raise ValueError("not yet")
    return "at last"


@app.task
def ask_again(most: int, interval: int = 0) -> Any:
    """A handler that returns rq.Retry the first `most` times that it runs."""
    note(f"attempt {current_job.attempt}")
    try:
        return RqRetry(max=most, interval=interval) if len(notes()) <= most else "at last"
    finally:
        seam("handler")


@app.task
def always_ask_again() -> Any:
    """A handler that returns rq.Retry whenever it runs."""
    note(f"attempt {current_job.attempt}")
    return RqRetry(max=1)


class Unspeakable(Exception):
    """An error that cannot even say what it is."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError("no words")


@app.task
def fail_badly(how: str) -> None:
    """A handler that fails as few do."""
    if how == "unspeakable":
        raise Unspeakable
    if how == "exit":
        sys.exit(3)
    raise FileNotFoundError("/mail/\udcff")  # how Python shows a file's name that is no text


@app.task
def count_rq_jobs() -> int:
    """How many of RQ's jobs this process has in memory."""
    gc.collect()
    return sum(isinstance(thing, RqJob) for thing in gc.get_objects())


@app.task
def hold() -> str:
    """A handler that runs until the file `go` is there."""
    note("hold")
    end = time.monotonic() + 20
    while not Path("go").exists() and time.monotonic() < end:
        time.sleep(0.01)
    return "let go"


@app.task
def look_at(job_id: str, failures: int) -> None:
    """A handler that notes how another job is, and fails the first `failures` times."""
    job = get_current_job()
    assert job is not None
    note(job.fetch(job_id, job.connection, "json").get_status().value)
    if len(notes()) <= failures:
        raise ValueError("not yet")


@app.task
def keep_meta(last: str) -> str:
    """A handler that saves what it knows on its job, both ways that RQ has."""
    job = get_current_job()
    assert job is not None
    job.meta["seen"] = "half"
    job.save_meta()  # type: ignore[no-untyped-call]
    job.meta["seen"] = last
    job.save()
    seam("handler")
    return f"{job.func_name} {job.args}"


def on_success(job: Any, connection: Any, result: Any) -> None:
    """RQ's success callback."""
    seam("success")
    note(f"success {connection.hget(job.key, 'status').decode()} {result} {job.ended_at >= job.started_at}")


def on_success_raise(job: Any, connection: Any, result: Any) -> None:
    """One that fails."""
    raise RuntimeError("the callback failed")


def on_failure(
    job: Any, connection: Any, kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """RQ's failure callback."""
    seam("failure")
    note(f"failure {kind.__name__} {error} {traceback is not None} {job.ended_at >= job.started_at}")


def on_failure_raise(job: Any, connection: Any, *exc_info: Any) -> None:
    """One that fails."""
    raise RuntimeError("the callback failed")
