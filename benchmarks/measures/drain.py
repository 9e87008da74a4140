"""Drain: one worker process empties a queue of no-op jobs.

The clock is this process's and hears of nothing but results that it can read itself: it starts at the look that finds
the first, which leaves the start of the interpreter out for every contender alike, and stops at the look that finds the
last. The jobs found at the first look are not counted.
"""

import time

from benchmarks.contender import Contender
from benchmarks.measure import Figure
from benchmarks.processes import WorkerProcess, produce
from benchmarks.servers import Server

RATE = Figure("drain", "jobs/s")
MEMORY = Figure("peak memory of the worker", "MB")

LOOK = 0.005
"""Seconds between two looks: 200 commands a second, which a server on the same cores does not feel."""
SILENCE = 30.0
"""Seconds without a new result after which the worker has failed."""


class Drain:
    """All jobs, or the contender's share of them, wait in the queue when the worker starts."""

    name = "drain"

    def suits(self, contender: Contender) -> bool:
        """Everybody."""
        return True

    def run(self, contender: Contender, server: Server, jobs: int) -> tuple[int, dict[Figure, float]]:
        """Time one worker, then read results in another process by the contender's own API."""
        count = contender.jobs(jobs)
        produce(contender, server.url, "bulk", count)
        with WorkerProcess(contender, server.url) as worker:
            rate, peak = _watch(contender, server, worker, count)
        produce(contender, server.url, "read", min(100, count))
        return count, {RATE: rate, **({MEMORY: peak / 1e6} if peak else {})}


def _watch(contender: Contender, server: Server, worker: WorkerProcess, count: int) -> tuple[float, int]:
    """The rate and the peak memory of a worker that drains `count` jobs."""
    found, first, peak, peak_looked = 0, 0, 0, 0.0
    changed = began = time.perf_counter()
    while found < count:
        time.sleep(LOOK)
        ended = worker.ended
        before, found = found, contender.finished(server.client)
        now = time.perf_counter()
        if found > before:
            changed = now
            if not before:
                began, first = now, found
        elif ended or now - changed > SILENCE:
            raise RuntimeError(f"{contender.name}: {found} of {count} jobs are done.\n{worker.output}")
        if now - peak_looked > 0.05:
            peak, peak_looked = max(peak, worker.peak_memory()), now
    if first == count:
        raise RuntimeError(f"{contender.name}: {count} jobs are too few to time")
    return (count - first) / (changed - began), max(peak, worker.peak_memory())
