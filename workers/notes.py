"""What the handler of one execution has logged, on its way to the server."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from postroom.jobs.joblog import MOST_BYTES, MOST_LINES


@dataclass(slots=True)
class Notes:
    """Lines that the server has not confirmed: the newest, for so long as it is away."""

    veil: Callable[[str], str] = str
    """Hides the secrets of the job's call."""
    first: int = 0
    """How many lines there were before these."""
    lines: deque[bytes] = field(default_factory=deque)
    """Each with its end."""
    size: int = 0
    settling: bool = False
    """They leave with the outcome of the job, and need no sending of their own."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def read(cls, first: int, count: int, text: bytes) -> "Notes":
        """From what another process `took`."""
        lines = text.splitlines(keepends=True)
        return cls(first=first, lines=deque(lines), size=len(text))

    def add(self, line: bytes) -> None:
        """One more."""
        with self.lock:
            self.lines.append(line)
            self.size += len(line)
            while len(self.lines) > MOST_LINES or self.size > MOST_BYTES:
                self._drop()

    def take(self) -> tuple[int, int, bytes]:
        """How many there were before, how many there are, and these. They stay until they are `confirmed`."""
        with self.lock:
            return self.first, len(self.lines), b"".join(self.lines)

    def confirmed(self, count: int) -> None:
        """The server has the first `count` of all lines."""
        with self.lock:
            while self.lines and self.first < count:
                self._drop()

    def _drop(self) -> None:
        self.size -= len(self.lines.popleft())
        self.first += 1
