"""What holding jobs costs the server: commands a second while a worker process runs one long job, and a thousand."""

import time

from benchmarks.contender import Contender
from benchmarks.contenders.postroom import POSTROOM
from benchmarks.measure import Figure
from benchmarks.processes import Workers, produce
from benchmarks.servers import Server

ONE = Figure("commands while 1 long job runs", "/s")
MANY = Figure("commands while 1,000 long jobs run", "/s")

SETTLING, WINDOW = 5.0, 10.0
"""Seconds until all jobs have begun and are written down as such; seconds that are counted."""
LONG = 120_000


class Renewals:
    """Coroutine jobs that sleep. Commands within scripts count too (INFO commandstats)."""

    name = "renewals"
    repeats = False

    def suits(self, contender: Contender) -> bool:
        """Postroom: the peers' commands are other ones, and say nothing beside its."""
        return contender == POSTROOM

    def run(self, contender: Contender, server: Server, jobs: int) -> tuple[int, dict[Figure, float]]:
        """Count twice."""
        found = {}
        for figure, held in ((ONE, 1), (MANY, 1000)):
            server.client.flushall()
            produce(contender, server.url, "naps", held, LONG)
            with Workers(contender, server.url, slots=1000) as workers:
                time.sleep(SETTLING)
                before = _commands(server)
                time.sleep(WINDOW)
                workers.check()
                found[figure] = (_commands(server) - before) / WINDOW
        return 1000, found


def _commands(server: Server) -> int:
    return sum(int(one["calls"]) for one in server.client.info("commandstats").values())
