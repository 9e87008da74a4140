"""Enqueue one by one: each job is acknowledged before the next is handed over."""

from benchmarks.contender import Contender
from benchmarks.measure import Figure
from benchmarks.processes import produce
from benchmarks.servers import Server

RATE = Figure("enqueue one by one", "jobs/s")


class Enqueue:
    """A quarter of the jobs, from one thread of one process. The clock starts when it is connected."""

    name = "enqueue"
    repeats = True

    def suits(self, contender: Contender) -> bool:
        """Producers."""
        return contender.produces

    def run(self, contender: Contender, server: Server, jobs: int) -> tuple[int, dict[Figure, float]]:
        """Time one producer."""
        count = max(1, jobs // 4)
        return count, {RATE: count / produce(contender, server.url, "one_by_one", count)}
