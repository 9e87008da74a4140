"""The clock: a process that hears of nothing but results that it can read itself."""

import time
from dataclasses import dataclass

from benchmarks.contender import Contender
from benchmarks.processes import Workers
from benchmarks.servers import Server

LOOK = 0.005
"""Seconds between two looks: 200 commands a second, which a server on the same cores does not feel."""
SILENCE = 30.0
"""Seconds without a new result after which the worker has failed."""


@dataclass(frozen=True, slots=True)
class Watched:
    """When results were there."""

    first: int
    """How many the first look found that found any."""
    seconds: float
    """From that look to the one that found the last."""
    peak_memory: int


def watch(contender: Contender, server: Server, workers: Workers, count: int) -> Watched:
    """Look until `count` jobs have results.

    Raises:
        RuntimeError: no more of them come.
    """
    found, first, peak, peak_looked = 0, 0, 0, 0.0
    changed = began = time.perf_counter()
    while found < count:
        time.sleep(LOOK)
        before, found = found, contender.finished(server.client, count)
        now = time.perf_counter()
        if found > before:
            changed = now
            if not before:
                began, first = now, found
        elif now - changed > SILENCE:
            raise workers.failed(f"{found} of {count} jobs are done")
        if now - peak_looked > 0.05:
            workers.check()
            peak, peak_looked = max(peak, workers.peak_memory()), now
    return Watched(first, changed - began, max(peak, workers.peak_memory()))
