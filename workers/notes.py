"""What the handler of one execution has logged, on its way to the server."""

import threading
from collections import deque
from collections.abc import Callable, Iterable

from postroom.jobs.joblog import MOST_BYTES, MOST_LINES


class Notes:
    """Lines that the server has not confirmed: the newest, for so long as it is away.

    Args:
        veil: hides the secrets of the job's call.
        first: how many lines there were before these.
        lines: each with its end.
    """

    def __init__(self, veil: Callable[[str], str] = str, first: int = 0, lines: Iterable[bytes] = ()) -> None:
        self.veil = veil
        self.settling = False
        """They leave with the outcome of the job, and need no sending of their own."""
        self._first, self._lines = first, deque(lines)
        self._size = sum(map(len, self._lines))
        self._lock = threading.Lock()

    @classmethod
    def read(cls, first: int, _count: int, text: bytes) -> "Notes":
        """From what another process `took`."""
        return cls(first=first, lines=text.splitlines(keepends=True))

    def add(self, line: bytes) -> None:
        """One more."""
        with self._lock:
            self._lines.append(line)
            self._size += len(line)
            while len(self._lines) > MOST_LINES or self._size > MOST_BYTES:
                self._drop()

    def take(self) -> tuple[int, int, bytes]:
        """How many there were before, how many there are, and these. They stay until they are `confirmed`."""
        with self._lock:
            return self._first, len(self._lines), b"".join(self._lines)

    def confirmed(self, count: int) -> None:
        """The server has the first `count` of all lines."""
        with self._lock:
            while self._lines and self._first < count:
                self._drop()

    def _drop(self) -> None:
        self._size -= len(self._lines.popleft())
        self._first += 1
