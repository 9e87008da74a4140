"""Retention: what a server holds at most while a producer and a worker process keep each other busy for minutes."""

import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.contender import Contender
from benchmarks.contenders.postroom import POSTROOM
from benchmarks.measure import Figure
from benchmarks.processes import Workers, produce
from benchmarks.servers import Server

PEAK = Figure("the server's peak memory at full speed", "MB")
RATE = Figure("jobs at full speed", "jobs/s")

SAMPLE = 0.5
"""Seconds between two looks at used_memory."""


class Retention:
    """The producer enqueues in bulk whenever fewer than 5,000 jobs wait, so that the worker sets the pace."""

    name = "retention"
    repeats = False

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds

    def suits(self, contender: Contender) -> bool:
        """Postroom: it is about its default retention."""
        return contender == POSTROOM

    def run(self, contender: Contender, server: Server, jobs: int) -> tuple[int, dict[Figure, float]]:
        """Watch used_memory."""
        peak = 0
        with ThreadPoolExecutor(1) as thread, Workers(contender, server.url) as workers:
            flood = thread.submit(produce, contender, server.url, "flood", self._seconds)
            while not flood.done():
                time.sleep(SAMPLE)
                workers.check()
                peak = max(peak, int(server.client.info("memory")["used_memory"]))
        enqueued = int(server.client.get("bench:enqueued"))
        return enqueued, {PEAK: peak / 1e6, RATE: enqueued / flood.result()}
