"""A contender: one way to run jobs on Redis, as it is installed and started by its users."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Finished = Callable[[Any, int], int]
"""Given a client and how many jobs were enqueued: how many of them have a result that the client can read."""


@dataclass(frozen=True, slots=True)
class Contender:
    """What the measures and the report need to know of one contender."""

    name: str
    peer: str
    """What `benchmarks.environments` installs it from; "" is the one of Postroom's development."""
    producer: tuple[str, ...]
    """The command that does an action: it takes the action's name and its numbers, and prints the seconds it took."""
    worker: tuple[str, ...]
    """The command of a worker. `{processes}` is how many it shall be; without it, the command is started as often."""
    finished: Finished
    counted: str
    """What `finished` looks at, in words."""
    settings: str
    """What differs from the defaults, and why it is the contender's better side."""
    guarantee: str
    """What becomes of a job whose worker is killed, with these settings."""
    share: float = 1.0
    """The part of the jobs that it gets: a slow one needs no more for a steady rate."""
    slots: int = 0
    """Coroutine jobs that it runs at once; 0 where it runs none."""
    produces: bool = True
    """False where its producer is another contender's."""
    grace: float = 0.5
    """Seconds that its worker gets to end after TERM: more where it then writes what its producer's `read` looks at."""
    bulk: bool = True
    """Whether its API can hand over many jobs at once."""

    def jobs(self, most: int) -> int:
        """How many jobs it gets where the fastest gets `most`."""
        return max(1, round(most * self.share))


def python(app: str) -> tuple[str, ...]:
    """The producer of an app in Python."""
    return ("python", "-m", "benchmarks.producer", f"benchmarks.apps.{app}")


def entries(key: str) -> Finished:
    """A sorted set has an entry for each finished job."""
    return lambda client, _: int(client.zcard(key))


def results_in_hash(key: str) -> Finished:
    """A hash has a field for each result."""
    return lambda client, _: int(client.hlen(key))


def unfinished(key: str) -> Finished:
    """A sorted set loses a job in the transaction that writes its result."""
    return lambda client, enqueued: enqueued - int(client.zcard(key))


def unclaimed(key: str) -> Finished:
    """A list loses a job when a worker takes it: the most favourable look at one that keeps no results."""
    return lambda client, enqueued: enqueued - int(client.llen(key))


def keys_of_db_1(client: Any, _: int) -> int:
    """Results are the only keys of the server's database 1."""
    return int(client.info("keyspace").get("db1", {"keys": 0})["keys"])
