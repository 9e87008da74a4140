"""Coroutine jobs that sleep 100 ms, 1,000 at once in one process: how near it comes to 1 s for 10,000 of them."""

from benchmarks.contender import Contender
from benchmarks.measure import Figure
from benchmarks.processes import Workers, produce
from benchmarks.servers import Server
from benchmarks.watch import watch

SECONDS = Figure("coroutine jobs of 100 ms, 1,000 slots: ÷ the ideal time", "times")
SLOTS, NAP = 1000, 0.1


class Coroutines:
    """Half of the jobs. The clock starts 100 ms before the first results are found, as their jobs do."""

    name = "coroutines"
    repeats = True

    def suits(self, contender: Contender) -> bool:
        """Those that run coroutines."""
        return contender.slots > 0

    def run(self, contender: Contender, server: Server, jobs: int) -> tuple[int, dict[Figure, float]]:
        """Time one worker process."""
        count = max(SLOTS, jobs // 2)
        produce(contender, server.url, "naps", count, round(NAP * 1000))
        with Workers(contender, server.url, slots=SLOTS) as workers:
            watched = watch(contender, server, workers, count)
        return count, {SECONDS: (watched.seconds + NAP) / (NAP * count / SLOTS)}
