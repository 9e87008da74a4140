"""The probe: a client of its own that asks every few milliseconds, for how long others wait for the server."""

import threading
import time
from collections.abc import Sequence

import redis

EVERY = 0.005
"""Seconds between two PINGs."""


def spread(waits: Sequence[float]) -> str:
    """Median, 99th percentile, longest, in ms."""
    found = sorted(waits) or [0.0]
    return " / ".join(f"{found[int(share * (len(found) - 1))] * 1e3:.1f}" for share in (0.5, 0.99, 1))


class Probe:
    """Asks in a thread of its own until it is closed."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client, self._ended = client, threading.Event()
        self._waits: list[float] = []
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def waits(self) -> str:
        """The `spread` of the waits since the last call."""
        waits, self._waits = self._waits, []
        return spread(waits)

    def close(self) -> None:
        """Ask no more."""
        self._ended.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._ended.wait(EVERY):
            began = time.perf_counter()
            self._client.ping()
            self._waits.append(time.perf_counter() - began)
