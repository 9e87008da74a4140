"""Dramatiq's actors and producer."""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from benchmarks.apps import stamps as latency

_backend = RedisBackend(url=os.environ["REDIS_URL"].removesuffix("0") + "1")
broker = RedisBroker(url=os.environ["REDIS_URL"])
broker.add_middleware(Results(backend=_backend, store_results=True))
dramatiq.set_broker(broker)


@dramatiq.actor
def noop(payload: str = "") -> bool:
    """Do nothing. Dramatiq warns of an actor that returns None where results are kept."""
    return True


@dramatiq.actor
def stamp(sent: float) -> bool:
    """Tell how long this job was on its way."""
    latency.stamp(sent)
    return True


def connect() -> None:
    """Reach the server, so that the clock need not wait for it."""
    broker.client.ping()


def one_by_one(count: int) -> None:
    """Enqueue `count` jobs, each acknowledged before the next."""
    for _ in range(count):
        noop.send()


def bulk(count: int, size: int) -> None:
    """Enqueue `count` jobs with so many bytes of payload."""
    args = ("x" * size,) if size else ()
    for _ in range(count):
        noop.send(*args)


def stamps(count: int) -> None:
    """Enqueue `count` jobs at an even pace."""
    latency.pace(count, stamp.send)


def read(count: int) -> None:
    """Read the results of `count` jobs; raises where one is not there."""
    keys = list(_backend.client.scan_iter(count=1000))[:count]
    found = [_backend.encoder.decode(_backend.client.lindex(key, 0)) for key in keys]
    if len(found) != count:
        raise LookupError(f"{len(found)} jobs have results, not {count}")
