"""Celery's tasks and producer."""

import os

from celery import Celery
from redis import Redis

from benchmarks.apps import stamps as latency

_results = os.environ["REDIS_URL"].removesuffix("0") + "1"

app = Celery("bench", broker=os.environ["REDIS_URL"], backend=_results)
app.conf.worker_prefetch_multiplier = 100


@app.task
def noop(payload: str = "") -> None:
    """Do nothing."""


@app.task
def stamp(sent: float) -> None:
    """Tell how long this job was on its way."""
    latency.stamp(sent)


def connect() -> None:
    """Reach the server, so that the clock need not wait for it."""
    app.pool.acquire().ensure_connection()


def one_by_one(count: int) -> None:
    """Enqueue `count` jobs, each acknowledged before the next."""
    for _ in range(count):
        noop.delay()


def bulk(count: int, size: int) -> None:
    """Enqueue `count` jobs with so many bytes of payload."""
    args = ("x" * size,) if size else ()
    for _ in range(count):
        noop.delay(*args)


def stamps(count: int) -> None:
    """Enqueue `count` jobs at an even pace."""
    latency.pace(count, stamp.delay)


def read(count: int) -> None:
    """Read the results of `count` jobs; raises where one is not there."""
    keys = list(Redis.from_url(_results, decode_responses=True).scan_iter("celery-task-meta-*", count=1000))[:count]
    done = [app.AsyncResult(key.removeprefix("celery-task-meta-")).successful() for key in keys]
    if sum(done) != count:
        raise LookupError(f"{sum(done)} jobs have results, not {count}")
