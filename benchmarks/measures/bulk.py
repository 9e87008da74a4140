"""Enqueue in bulk, by the API that the contender has for it; and what the queued jobs take on the server."""

from benchmarks.contender import Contender
from benchmarks.measure import Figure
from benchmarks.processes import produce
from benchmarks.servers import Server

RATE = Figure("enqueue in bulk", "jobs/s")
SIZE = Figure("a queued job", "bytes")


class Bulk:
    """All jobs, from one thread of one process. The clock starts when it is connected."""

    name = "bulk"

    def suits(self, contender: Contender) -> bool:
        """Producers."""
        return contender.produces

    def run(self, contender: Contender, server: Server, jobs: int) -> tuple[int, dict[Figure, float]]:
        """Time one producer; look at the server's used_memory before and after."""
        before = server.memory()
        seconds = produce(contender, server.url, "bulk", jobs)
        return jobs, {RATE: jobs / seconds, SIZE: (server.memory() - before) / jobs}
