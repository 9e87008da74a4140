"""Latency of an idle worker: from just before a job is enqueued to its handler's first line, at 50 jobs a second."""

from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from benchmarks.contender import Contender
from benchmarks.measure import Figure
from benchmarks.processes import Workers, produce
from benchmarks.servers import Server

MIDDLE = Figure("latency at 50 jobs/s, p50", "ms")
SLOWEST = Figure("latency at 50 jobs/s, p99", "ms")

JOBS, WARMING = 300, 20
SECONDS_OF_WARMING = 30.0


class Latency:
    """300 jobs, after 20 that warm the worker and are left out."""

    name = "latency"
    repeats = True

    def suits(self, contender: Contender) -> bool:
        """Those that keep up with 50 jobs a second: a process forked for each job does not."""
        return contender.produces

    def run(self, contender: Contender, server: Server, jobs: int) -> tuple[int, dict[Figure, float]]:
        """Let the handlers write down how long their jobs were on their way."""
        with TemporaryDirectory(prefix="postroom-bench-") as folder:
            stamps = Path(folder, "stamps")
            stamps.touch()
            with Workers(contender, server.url, stamps=stamps) as workers:
                produce(contender, server.url, "stamps", WARMING)
                _await(workers, stamps, WARMING)
                produce(contender, server.url, "stamps", JOBS)
                waited = _await(workers, stamps, WARMING + JOBS)[WARMING:]
        percentiles = quantiles(waited, n=100)
        return JOBS, {MIDDLE: percentiles[49] * 1000, SLOWEST: percentiles[98] * 1000}


def _await(workers: Workers, stamps: Path, count: int) -> list[float]:
    """The stamps, when there are so many."""
    end = monotonic() + SECONDS_OF_WARMING
    while len(lines := stamps.read_text().splitlines()) < count:
        workers.check()
        if monotonic() > end:
            raise workers.failed(f"{len(lines)} of {count} jobs have begun")
        sleep(0.05)
    return [float(line) for line in lines]
