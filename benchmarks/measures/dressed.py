"""Dressed: the drain of no-op jobs with that on which a deployment may switch on. Postroom only.

Each turn stands beside one of the plain drain, so that what it costs is their ratio.
"""

import socket
from dataclasses import dataclass, replace

from benchmarks.contender import Contender, python
from benchmarks.contenders.postroom import POSTROOM
from benchmarks.measure import Figure
from benchmarks.measures.drain import Drain
from benchmarks.servers import Server

METRICS = Figure("drain, metrics on", "jobs/s")
EVERYTHING = Figure("drain, typed arguments, metrics, tracing and events on", "jobs/s")


@dataclass(frozen=True, slots=True)
class Dressed:
    """The drain of an app of `benchmarks.apps`, by a worker that serves metrics."""

    name: str
    rate: Figure
    app: str
    repeats: bool = True

    def suits(self, contender: Contender) -> bool:
        """Postroom: its peers have other things to switch on."""
        return contender == POSTROOM

    def run(self, contender: Contender, server: Server, jobs: int) -> tuple[int, dict[Figure, float]]:
        """As the plain drain."""
        command = ("postroom", "worker", f"benchmarks.apps.{self.app}:app", "-p", "{processes}")
        port = ("--metrics-port", str(_free_port()))
        # That Postroom's development is in, with the SDK of OpenTelemetry.
        dressed = replace(contender, peer="", producer=python(self.app), worker=(*command, *port))
        return Drain(self.name, self.rate).run(dressed, server, jobs)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


DRESSED_METRICS = Dressed("metrics", METRICS, "postroom_app")
DRESSED_EVERYTHING = Dressed("everything", EVERYTHING, "postroom_full_app")
