"""arq's functions, worker and producer."""

import asyncio
import os
from typing import Any

from arq import create_pool
from arq.connections import ArqRedis, RedisSettings

from benchmarks.apps import stamps as latency

BATCH = 100  # coroutines at once: arq has no call for many jobs

_settings = RedisSettings.from_dsn(os.environ["REDIS_URL"])


async def noop(ctx: dict[Any, Any], payload: str = "") -> None:
    """Do nothing."""


async def stamp(ctx: dict[Any, Any], sent: float) -> None:
    """Tell how long this job was on its way."""
    latency.stamp(sent)


async def nap(ctx: dict[Any, Any], milliseconds: int) -> None:
    """Sleep."""
    await asyncio.sleep(milliseconds / 1000)


class Worker:
    """What `arq` reads."""

    functions = (noop, stamp, nap)
    redis_settings = _settings
    max_jobs = int(os.environ["BENCH_SLOTS"])
    poll_delay = 0.01
    log_results = False


class Held:
    """The producer's pool."""

    pool: ArqRedis


async def connect() -> None:
    """Reach the server, so that the clock need not wait for it."""
    Held.pool = await create_pool(_settings)


async def close() -> None:
    """Leave it."""
    await Held.pool.aclose()


async def one_by_one(count: int) -> None:
    """Enqueue `count` jobs, each acknowledged before the next."""
    for _ in range(count):
        await Held.pool.enqueue_job("noop")


async def bulk(count: int, size: int) -> None:
    """Enqueue `count` jobs with so many bytes of payload."""
    await _gather(count, "noop", *(("x" * size,) if size else ()))


async def stamps(count: int) -> None:
    """Enqueue `count` jobs at an even pace."""
    await latency.apace(count, lambda sent: Held.pool.enqueue_job("stamp", sent))


async def naps(count: int, milliseconds: int) -> None:
    """Enqueue `count` jobs that sleep."""
    await _gather(count, "nap", milliseconds)


async def read(count: int) -> None:
    """Read the results of `count` jobs; raises where one is not there."""
    keys = [key async for key in Held.pool.scan_iter("arq:result:*", count=1000)][:count]
    found = [await Held.pool._get_job_result(key) for key in keys]
    if sum(one.success for one in found) != count:
        raise LookupError(f"{len(found)} jobs have results, not {count}")


async def _gather(count: int, *call: Any) -> None:
    for start in range(0, count, BATCH):
        await asyncio.gather(*(Held.pool.enqueue_job(*call) for _ in range(min(BATCH, count - start))))
