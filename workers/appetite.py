"""Appetite: how many jobs of a queue a worker can start soon. It never claims more."""

import time
from collections.abc import Mapping
from typing import Protocol

MOST = 500
"""The most jobs of one claim."""
AHEAD = 0.05
"""Seconds: how far ahead of the executors to claim."""
_LEARN = 0.3


class Places(Protocol):
    """What an executor tells of itself."""

    @property
    def free(self) -> int: ...
    @property
    def waiting(self) -> int: ...


class Appetite:
    """Learns from each claim which executors a queue's jobs go to, and from each settling how fast they go.

    Args:
        shares: what part of a queue's jobs goes to which executor, to begin with.
        pace: of the whole process.
    """

    def __init__(self, shares: Mapping[str, float], pace: "Pace") -> None:
        self._shares = dict(shares)
        self._pace = pace

    def jobs(self, executors: Mapping[str, Places]) -> int:
        """How many to claim now: what fits the free places of every executor that the queue's jobs need, and what they
        will get through in AHEAD seconds.
        """
        fits = min(
            int(executors[kind].free / share)
            for kind, share in self._shares.items()
            if share > 0.02 and kind in executors
        )
        waiting = sum(executor.waiting for executor in executors.values())
        most = min(2 * MOST, fits + int(self._pace.per_second * AHEAD))
        # While more than half of what can be started soon is here, a claim would cost more than it brings.
        return 0 if 2 * waiting > most else min(MOST, most - waiting)

    def learn(self, counts: Mapping[str, int]) -> None:
        """A claim brought so many jobs for these executors."""
        total = sum(counts.values())
        if total:
            for kind in {*self._shares, *counts}:
                old = self._shares.get(kind, 0.0)
                self._shares[kind] = old + _LEARN * (counts.get(kind, 0) / total - old)


class Pace:
    """How many jobs a second are settled lately."""

    WINDOW = 0.01

    def __init__(self) -> None:
        self.per_second = 0.0
        self._since = time.monotonic()
        self._last = self._since
        self._count = 0

    @property
    def silence(self) -> float:
        """Seconds since a job was settled."""
        return time.monotonic() - self._last

    def add(self, count: int) -> None:
        """`count` jobs were settled."""
        now = self._last = time.monotonic()
        self._count += count
        passed = now - self._since
        if passed >= self.WINDOW:
            latest = self._count / passed
            self.per_second = latest if latest < self.per_second else (self.per_second + latest) / 2
            self._since, self._count = now, 0
