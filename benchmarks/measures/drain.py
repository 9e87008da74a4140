"""Drain: worker processes empty a queue of no-op jobs.

The clock starts at the look that finds the first results, which leaves the start of the interpreter out for every
contender alike, and stops at the look that finds the last. The jobs found at the first look are not counted.
"""

from dataclasses import dataclass

from benchmarks.contender import Contender
from benchmarks.measure import Figure
from benchmarks.processes import Workers, produce
from benchmarks.servers import Server
from benchmarks.watch import watch

ONE = Figure("drain", "jobs/s")
TWO = Figure("drain by two processes", "jobs/s")
PAYLOAD = Figure("drain, 200 bytes of payload", "jobs/s")
MEMORY = Figure("peak memory of a worker process", "MB")


@dataclass(frozen=True, slots=True)
class Drain:
    """All jobs, or the contender's share of them, wait in the queue when the workers start."""

    name: str
    rate: Figure
    processes: int = 1
    size: int = 0
    """Bytes of payload of each job."""
    among: frozenset[str] = frozenset()
    """The contenders that it is about; all, where none is named."""
    repeats: bool = True

    def suits(self, contender: Contender) -> bool:
        """Those named."""
        return not self.among or contender.name in self.among

    def run(self, contender: Contender, server: Server, jobs: int) -> tuple[int, dict[Figure, float]]:
        """Time the workers, then read results in another process by the contender's own API."""
        count = contender.jobs(jobs) * self.processes
        produce(contender, server.url, "bulk", count, self.size)
        with Workers(contender, server.url, self.processes) as workers:
            watched = watch(contender, server, workers, count)
        produce(contender, server.url, "read", min(100, count))
        if watched.first == count:
            raise RuntimeError(f"{contender.name}: {count} jobs are too few to time")
        found = {self.rate: (count - watched.first) / watched.seconds}
        if self.rate == ONE and watched.peak_memory:
            found[MEMORY] = watched.peak_memory / 1e6
        return count, found


DRAIN = Drain("drain", ONE)
DRAIN_TWO = Drain("drain-2", TWO, processes=2)
DRAIN_PAYLOAD = Drain(
    "payload", PAYLOAD, size=200, among=frozenset({"Postroom", "RQ SimpleWorker", "Huey", "BullMQ", "Sidekiq"})
)
