"""taskiq's tasks and producer, on the broker that the contender's name says."""

import asyncio
import os

from redis.asyncio import Redis
from taskiq import AsyncBroker
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend, RedisStreamBroker

from benchmarks.apps import stamps as latency

BATCH = 100  # coroutines at once: taskiq has no call for many jobs

_url = os.environ["REDIS_URL"]
_backend: RedisAsyncResultBackend[None] = RedisAsyncResultBackend(_url.removesuffix("0") + "1", result_ex_time=500)
_kind = RedisStreamBroker if os.environ["BENCH_CONTENDER"] == "taskiq stream" else ListQueueBroker
# "0": a group that is made after the jobs begins with the first of them, not with the next
_options = {"consumer_id": "0"} if _kind is RedisStreamBroker else {}
broker: AsyncBroker = _kind(_url, **_options).with_result_backend(_backend)


@broker.task
async def noop(payload: str = "") -> None:
    """Do nothing."""


@broker.task
async def stamp(sent: float) -> None:
    """Tell how long this job was on its way."""
    latency.stamp(sent)


@broker.task
async def nap(milliseconds: int) -> None:
    """Sleep."""
    await asyncio.sleep(milliseconds / 1000)


async def connect() -> None:
    """Reach the server, so that the clock need not wait for it."""
    await broker.startup()


async def close() -> None:
    """Leave it."""
    await broker.shutdown()


async def one_by_one(count: int) -> None:
    """Enqueue `count` jobs, each acknowledged before the next."""
    for _ in range(count):
        await noop.kiq()


async def bulk(count: int, size: int) -> None:
    """Enqueue `count` jobs with so many bytes of payload."""
    args = ("x" * size,) if size else ()
    for start in range(0, count, BATCH):
        await asyncio.gather(*(noop.kiq(*args) for _ in range(min(BATCH, count - start))))


async def stamps(count: int) -> None:
    """Enqueue `count` jobs at an even pace."""
    await latency.apace(count, stamp.kiq)


async def naps(count: int, milliseconds: int) -> None:
    """Enqueue `count` jobs that sleep."""
    for start in range(0, count, BATCH):
        await asyncio.gather(*(nap.kiq(milliseconds) for _ in range(min(BATCH, count - start))))


async def read(count: int) -> None:
    """Read the results of `count` jobs; raises where one is not there."""
    async with Redis(connection_pool=_backend.redis_pool) as redis:
        keys = [key.decode() async for key in redis.scan_iter(count=1000)][:count]
    found = [await _backend.get_result(key) for key in keys]
    if len(found) != count or any(one.is_err for one in found):
        raise LookupError(f"{len(found)} jobs have results, not {count}")
