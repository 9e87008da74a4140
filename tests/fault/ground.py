"""What every case is given: a server, a seed and a size."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ground:
    """Where and how large a case is."""

    url: str
    """A server without persistence, shared by all cases; each has a namespace of its own."""
    seed: int = 1
    jobs: int = 2_000
    """How many jobs the large cases have."""
    short: bool = False
    """The short form, which is part of `make test`."""
