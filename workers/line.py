"""The waiting line: claimed jobs that an executor has not begun, in order."""

from collections import deque

from postroom.workers.ready import Ready


class WaitingLine:
    """What every executor has: jobs that wait for a place. A deque, so that taking one costs no lock."""

    def __init__(self) -> None:
        self._ready: deque[Ready] = deque()

    @property
    def lone(self) -> bool:
        """One job waits, and the thread that leads is the one to run it."""
        return False

    @property
    def waiting(self) -> int:
        """How many jobs wait for a place."""
        return len(self._ready)

    @property
    def oldest(self) -> float:
        """When the first of those was claimed, by time.monotonic(); 0 where none waits."""
        try:
            return self._ready[0].job.at
        except IndexError:
            return 0.0

    def take_back(self) -> list[Ready]:
        """What has not begun."""
        taken = []
        while True:
            try:
                taken.append(self._ready.popleft())
            except IndexError:
                return taken
