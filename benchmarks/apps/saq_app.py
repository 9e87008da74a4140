"""SAQ's functions, worker settings and producer."""

import asyncio
import os
from typing import Any

from saq import Queue, Status

from benchmarks.apps import stamps as latency

BATCH = 100  # coroutines at once: SAQ has no call for many jobs

queue = Queue.from_url(os.environ["REDIS_URL"])


async def noop(ctx: Any, *, payload: str = "") -> None:
    """Do nothing."""


async def stamp(ctx: Any, *, sent: float) -> None:
    """Tell how long this job was on its way."""
    latency.stamp(sent)


async def nap(ctx: Any, *, milliseconds: int) -> None:
    """Sleep."""
    await asyncio.sleep(milliseconds / 1000)


settings = {"queue": queue, "functions": [noop, stamp, nap], "concurrency": int(os.environ["BENCH_SLOTS"])}


async def connect() -> None:
    """Reach the server, so that the clock need not wait for it."""
    await queue.connect()


async def close() -> None:
    """Leave it."""
    await queue.disconnect()


async def one_by_one(count: int) -> None:
    """Enqueue `count` jobs, each acknowledged before the next."""
    for _ in range(count):
        await queue.enqueue("noop")


async def bulk(count: int, size: int) -> None:
    """Enqueue `count` jobs with so many bytes of payload."""
    await _gather(count, "noop", **({"payload": "x" * size} if size else {}))


async def stamps(count: int) -> None:
    """Enqueue `count` jobs at an even pace."""
    await latency.apace(count, lambda sent: queue.enqueue("stamp", sent=sent))


async def naps(count: int, milliseconds: int) -> None:
    """Enqueue `count` jobs that sleep."""
    await _gather(count, "nap", milliseconds=milliseconds, timeout=300)


async def read(count: int) -> None:
    """Read the results of `count` jobs; raises where one is not there."""
    keys = [key async for key in queue.redis.scan_iter("saq:job:*", count=1000)][:count]
    jobs = [await queue.job(key.decode().rpartition(":")[2]) for key in keys]
    if sum(job is not None and job.status == Status.COMPLETE for job in jobs) != count:
        raise LookupError(f"{len(jobs)} jobs have results, not {count}")


async def _gather(count: int, name: str, **fields: Any) -> None:
    for start in range(0, count, BATCH):
        await asyncio.gather(*(queue.enqueue(name, **fields) for _ in range(min(BATCH, count - start))))
