"""The short form: cases that mostly wait are played beside each other, each on a server of its own."""

from collections.abc import Collection
from concurrent.futures import Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from types import TracebackType
from typing import Self

from tests.fault.cases import ALL
from tests.fault.ground import Ground
from tests.fault.verdict import Verdict
from tests.servers import Server

ALONE = ("storm", "maxmemory", "deploy", "slow_first", "flush")
"""What judges times of a second: nothing else runs meanwhile."""
COMPUTING = ("replies", "lines", "model")
"""What never sleeps: one at a time."""
AT_ONCE = 2
"""Of all others, which sleep until a lease or a deadline is over: with more, they would wait for a core instead."""
SHORT = 2_000
"""Jobs of the large cases."""


class Lanes:
    """Plays the named cases in their short form, until it is left: first some alone, then the others at once.

    In processes of their own: threads of this one would keep each other from its lock.
    """

    def __init__(self, names: Collection[str], seed: int = 1, jobs: int = SHORT) -> None:
        self._names, self._seed, self._jobs = names, seed, jobs
        self._one, self._some = (ProcessPoolExecutor(count, get_context("spawn")) for count in (1, AT_ONCE))
        self.verdicts: dict[str, Future[list[Verdict]]] = {}
        """By the case's name."""

    def _submit(self, lane: ProcessPoolExecutor, name: str) -> Future[list[Verdict]]:
        self.verdicts[name] = lane.submit(play, name, self._seed, self._jobs)
        return self.verdicts[name]

    def __enter__(self) -> Self:
        for name in self._names:
            if name in ALONE:
                wait([self._submit(self._one, name)])
        for name in self._names:
            if name not in ALONE:
                self._submit(self._one if name in COMPUTING else self._some, name)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for lane in (self._one, self._some):
            lane.shutdown(cancel_futures=True)


def play(name: str, seed: int, jobs: int) -> list[Verdict]:
    """One case in its short form, on a server of its own."""
    with Server() as server:
        return list(ALL[name](Ground(server.url, seed, jobs, short=True)))
