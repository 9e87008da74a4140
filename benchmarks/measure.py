"""A measure: something done once with one contender on one server, and the figures that come of it."""

from dataclasses import dataclass
from typing import Protocol

from benchmarks.contender import Contender
from benchmarks.servers import Server


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that a measure finds."""

    name: str
    unit: str


class Measure(Protocol):
    """One measure. All have this shape; each is a file of its own."""

    @property
    def name(self) -> str:
        """What `--only` calls it."""

    @property
    def repeats(self) -> bool:
        """False where one run is enough, since it counts and does not time."""

    def suits(self, contender: Contender) -> bool:
        """Whether it says anything of this contender."""

    def run(self, contender: Contender, server: Server, jobs: int) -> tuple[int, dict[Figure, float]]:
        """Do it once, on an empty server; how many jobs it took, and what was found.

        Raises:
            RuntimeError: the contender failed.
        """
