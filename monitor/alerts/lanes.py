"""Lanes: what goes to one receiver goes one after the other, beside what goes to the others: a slow one delays only its
own.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait


class Lanes:
    """Does work by name, in threads: of one name one thing at a time.

    Args:
        most: lanes at once.
    """

    def __init__(self, most: int) -> None:
        self._threads = ThreadPoolExecutor(most, "postroom-notice")
        self._lanes: dict[str, Future[None]] = {}

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Begin, unless the work of this name that was begun last still goes on."""
        if name not in self._lanes:
            self._lanes[name] = self._threads.submit(work)

    def wait(self, seconds: float | None = None) -> None:
        """Until nothing goes on, or for so long.

        Raises:
            what the work raised that has ended.
        """
        ended, _ = wait(self._lanes.values(), seconds)
        self._lanes = {name: lane for name, lane in self._lanes.items() if lane not in ended}
        for lane in ended:
            lane.result()
