"""Postroom's tasks and producer."""

import asyncio
import time

from benchmarks.apps import stamps as latency
from postroom import Postroom
from postroom.jobs.keys import Keys

app = Postroom()

FLOOD = 5_000  # jobs that wait at most while a flood goes on: enough to keep any worker busy
BATCH = 500


@app.task
def noop(payload: str = "") -> None:
    """Do nothing."""


@app.task
def stamp(sent: float) -> None:
    """Tell how long this job was on its way."""
    latency.stamp(sent)


@app.task
async def nap(milliseconds: int) -> None:
    """Sleep."""
    await asyncio.sleep(milliseconds / 1000)


def connect() -> None:
    """Reach the server, so that the clock need not wait for it."""
    app.broker.ping()


def one_by_one(count: int) -> None:
    """Enqueue `count` jobs, each acknowledged before the next."""
    for _ in range(count):
        noop.enqueue()


def bulk(count: int, size: int) -> None:
    """Enqueue `count` jobs as fast as the contender's API can, with so many bytes of payload."""
    noop.enqueue_many([("x" * size,) if size else ()] * count)


def stamps(count: int) -> None:
    """Enqueue `count` jobs at an even pace."""
    latency.pace(count, stamp.enqueue)


def naps(count: int, milliseconds: int) -> None:
    """Enqueue `count` coroutine jobs."""
    nap.enqueue_many([(milliseconds,)] * count)


def flood(seconds: int) -> None:
    """Keep jobs waiting for so long, so that a worker is always busy."""
    end, queue = time.monotonic() + seconds, Keys().queue("default")
    with app.broker.client() as client:
        while time.monotonic() < end:
            if client.llen(queue) < FLOOD:
                noop.enqueue_many([()] * BATCH)
                client.incrby("bench:enqueued", BATCH)
            else:
                time.sleep(0.005)


def read(count: int) -> None:
    """Read the results of the `count` jobs that ended last; raises where one is not there."""
    with app.broker.client() as client:
        job_ids = [job_id.decode() for job_id in client.zrange(Keys().finished("default"), -count, -1)]
    if len(job_ids) != count:
        raise LookupError(f"{len(job_ids)} jobs have finished, not {count}")
    for job_id in job_ids:
        app.job(job_id).result(timeout=0)
