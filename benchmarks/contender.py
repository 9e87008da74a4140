"""A contender: one way to run jobs on Redis, as it is installed and started by its users."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Contender:
    """What the measures need to know of one contender."""

    name: str
    app: str
    """The module with its no-op task and its producer, of the shape that `benchmarks.producer` names."""
    worker: tuple[str, ...]
    """The command of one worker process, with default settings, that ends when the queue is empty."""
    finished_key: str
    """The sorted set that has one entry for each job whose result can be read."""
    share: float = 1.0
    """The part of the drain's jobs that it gets: a slow one needs no more for a steady rate."""
    produces: bool = True
    """False where its producer is another contender's."""

    def jobs(self, most: int) -> int:
        """How many jobs it drains where the fastest drains `most`."""
        return max(1, round(most * self.share))

    def finished(self, client: Any) -> int:
        """How many jobs have a result that `client` can read."""
        return int(client.zcard(self.finished_key))
