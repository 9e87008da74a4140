"""Enqueue in bulk, by the API that the contender has for it; and what the queued jobs take on the server."""

from benchmarks.contender import Contender
from benchmarks.measure import Figure
from benchmarks.processes import produce
from benchmarks.servers import Server

RATE = Figure("enqueue in bulk", "jobs/s")
SIZE = Figure("a queued job", "bytes")


class Bulk:
    """All jobs, from one thread of one process; a quarter where there is no such API, for their size alone."""

    name = "bulk"
    repeats = True

    def suits(self, contender: Contender) -> bool:
        """Producers."""
        return contender.produces

    def run(self, contender: Contender, server: Server, jobs: int) -> tuple[int, dict[Figure, float]]:
        """Time one producer from when it is connected; look at the server's used_memory before and after."""
        count = jobs if contender.bulk else max(1, jobs // 4)
        before = server.memory()
        seconds = produce(contender, server.url, "bulk", count, 0)
        size = {SIZE: (server.memory() - before) / count}
        return count, {RATE: count / seconds, **size} if contender.bulk else size
