"""Huey's tasks and producer."""

import os

from huey import RedisHuey

from benchmarks.apps import stamps as latency

huey = RedisHuey("bench", url=os.environ["REDIS_URL"], store_none=True)


@huey.task()
def noop(payload: str = "") -> None:
    """Do nothing."""


@huey.task()
def stamp(sent: float) -> None:
    """Tell how long this job was on its way."""
    latency.stamp(sent)


def connect() -> None:
    """Reach the server, so that the clock need not wait for it."""
    huey.storage.conn.ping()


def one_by_one(count: int) -> None:
    """Enqueue `count` jobs, each acknowledged before the next."""
    for _ in range(count):
        noop()


def bulk(count: int, size: int) -> None:
    """Enqueue `count` jobs with so many bytes of payload."""
    args = ("x" * size,) if size else ()
    for _ in range(count):
        noop(*args)


def stamps(count: int) -> None:
    """Enqueue `count` jobs at an even pace."""
    latency.pace(count, stamp)


def read(count: int) -> None:
    """Read the results of `count` jobs; raises where one is not there."""
    job_ids = list(huey.storage.result_items())[:count]
    if len(job_ids) != count:
        raise LookupError(f"{len(job_ids)} jobs have results, not {count}")
    for job_id in job_ids:
        huey.result(job_id.decode() if isinstance(job_id, bytes) else job_id, preserve=True)
