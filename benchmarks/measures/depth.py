"""Claims from a deep queue and from a shallow one: the length of a queue must not matter."""

import time
from statistics import quantiles

from benchmarks.contender import Contender
from benchmarks.contenders.postroom import POSTROOM
from benchmarks.measure import Figure
from benchmarks.servers import Server
from postroom import Postroom
from postroom.jobs import calls
from postroom.workers.claimed import read_claim

DEEP = Figure("claim of 100 jobs from a deep queue, p99", "ms")
SHALLOW = Figure("claim of 100 jobs from 1,000, p99", "ms")

SAMPLES, BATCH = 400, 100
PROCESS, LEASE = "bench", 3600.0


class Depth:
    """400 claims of each, in turn, by the script that the worker claims with; what was claimed is given back."""

    name = "depth"
    repeats = True

    def suits(self, contender: Contender) -> bool:
        """Postroom: it is about one script of its own."""
        return contender == POSTROOM

    def run(self, contender: Contender, server: Server, jobs: int) -> tuple[int, dict[Figure, float]]:
        """Time the round trips of the claims."""
        app = Postroom(server.url)
        depths = {DEEP: 50 * jobs, SHALLOW: 1000}
        for figure, depth in depths.items():
            app.using("noop", queue=_queue(figure)).enqueue_many([()] * depth)
        app.broker.run(calls.join(app.keys, PROCESS, LEASE, {_queue(figure): 0 for figure in depths}))
        seconds: dict[Figure, list[float]] = {figure: [] for figure in depths}
        for request in range(1, SAMPLES + 1):
            for figure in depths:
                seconds[figure].append(_claim(app, _queue(figure), request))
        app.broker.close()
        return depths[DEEP], {figure: 1000 * quantiles(found, n=100)[98] for figure, found in seconds.items()}


def _claim(app: Postroom, queue: str, request: int) -> float:
    """Claim and give back; the seconds of the claim."""
    call = calls.claim(app.keys, queue, PROCESS, request, BATCH, LEASE)
    began = time.perf_counter()
    reply = app.broker.run(call)
    seconds = time.perf_counter() - began
    claimed = read_claim(reply, queue, began)
    if len(claimed) != BATCH:
        raise RuntimeError(f"{len(claimed)} jobs were claimed from {queue}, not {BATCH}")
    given = [part for job in claimed for part in (job.id, job.token)]
    app.broker.run(calls.settle("release", app.keys, queue, PROCESS, given))
    return seconds


def _queue(figure: Figure) -> str:
    return "deep" if figure == DEEP else "shallow"
