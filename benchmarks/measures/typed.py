"""Typed: the drain of no-op jobs that take an order of three lines, by its types and as it comes. Postroom only.

The two have their turns side by side, so that what types cost is their ratio.
"""

from dataclasses import dataclass, replace

from benchmarks.contender import Contender, python
from benchmarks.contenders.postroom import POSTROOM
from benchmarks.measure import Figure
from benchmarks.measures.drain import Drain
from benchmarks.servers import Server

TYPED = Figure("drain of orders, typed", "jobs/s")
UNTYPED = Figure("drain of orders, untyped", "jobs/s")
_APP = "postroom_typed_app"


@dataclass(frozen=True, slots=True)
class Typed:
    """The drain of one of the two."""

    name: str
    rate: Figure
    size: int
    """Which of the two the producer enqueues."""
    repeats: bool = True

    def suits(self, contender: Contender) -> bool:
        """Postroom: its peers know no types."""
        return contender == POSTROOM

    def run(self, contender: Contender, server: Server, jobs: int) -> tuple[int, dict[Figure, float]]:
        """As the plain drain."""
        command = ("postroom", "worker", f"benchmarks.apps.{_APP}:app", "-p", "{processes}")
        return Drain(self.name, self.rate, size=self.size).run(
            replace(contender, producer=python(_APP), worker=command), server, jobs
        )


ORDERS_UNTYPED = Typed("orders", UNTYPED, 0)
ORDERS_TYPED = Typed("typed", TYPED, 1)
