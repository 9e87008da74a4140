"""streaq's tasks and producer."""

import asyncio
import os
from contextlib import AsyncExitStack

from streaq import Worker

from benchmarks.apps import stamps as latency

BATCH = 500  # jobs in one enqueue_many

worker: Worker[None] = Worker(redis_url=os.environ["REDIS_URL"], concurrency=int(os.environ["BENCH_SLOTS"]) or 16)
_open = AsyncExitStack()


@worker.task
async def noop(payload: str = "") -> None:
    """Do nothing."""


@worker.task
async def stamp(sent: float) -> None:
    """Tell how long this job was on its way."""
    latency.stamp(sent)


@worker.task
async def nap(milliseconds: int) -> None:
    """Sleep."""
    await asyncio.sleep(milliseconds / 1000)


async def connect() -> None:
    """Reach the server, so that the clock need not wait for it."""
    await _open.enter_async_context(worker)


async def close() -> None:
    """Leave it."""
    await _open.aclose()


async def one_by_one(count: int) -> None:
    """Enqueue `count` jobs, each acknowledged before the next."""
    for _ in range(count):
        await noop.enqueue()


async def bulk(count: int, size: int) -> None:
    """Enqueue `count` jobs as fast as the contender's API can, with so many bytes of payload."""
    args = ("x" * size,) if size else ()
    for start in range(0, count, BATCH):
        await worker.enqueue_many([noop.enqueue(*args) for _ in range(min(BATCH, count - start))])


async def stamps(count: int) -> None:
    """Enqueue `count` jobs at an even pace."""
    await latency.apace(count, stamp.enqueue)


async def naps(count: int, milliseconds: int) -> None:
    """Enqueue `count` jobs that sleep."""
    for start in range(0, count, BATCH):
        await worker.enqueue_many([nap.enqueue(milliseconds) for _ in range(min(BATCH, count - start))])


async def read(count: int) -> None:
    """Read the results of `count` jobs; raises where one is not there."""
    job_ids = await worker.redis.zrange("streaq:default:index:results", 0, count - 1)
    done = [(await worker.result_by_id(job_id, timeout=5)).success for job_id in job_ids]
    if sum(done) != count:
        raise LookupError(f"{sum(done)} jobs have results, not {count}")
