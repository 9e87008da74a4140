"""A duty: something that must happen though nobody asks. Any number of processes may do the same duties at once."""

import logging
import threading
from collections.abc import Sequence
from typing import Protocol

from postroom.jobs.app import Postroom
from postroom.jobs.errors import BrokerError, Unavailable

log = logging.getLogger("postroom.scheduler")

AWAY = "The duties"
"""Who is named where the server is away: all of them."""


class Duty(Protocol):
    """One duty. All have this shape; each is a file of its own."""

    every: float
    """Seconds between two rounds."""

    def do(self, app: Postroom) -> None:
        """One round. Idempotent, and safe beside any number of others.

        Raises:
            BrokerError: the server is not there, or refused; the next round tries again.
        """


class Rounds:
    """Does duties in a thread of its own until it is stopped."""

    def __init__(self, app: Postroom, duties: Sequence[Duty]) -> None:
        self._app = app
        self._stopped = threading.Event()
        self._failing: set[str] = set()
        self._threads = [
            threading.Thread(target=self._go, args=(duty,), name=f"postroom-{type(duty).__name__.lower()}", daemon=True)
            for duty in duties
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, *, last: Sequence[Duty] = ()) -> None:
        """End after the round under way, and after one round of each of `last`, while the server is there.

        A burst wants it: what it did a moment ago, nobody else may be there to tell.
        """
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        for duty in last:
            if not self._round(duty) and AWAY in self._failing:
                return

    def _go(self, duty: Duty) -> None:
        while not self._stopped.wait(duty.every):
            self._round(duty)

    def _round(self, duty: Duty) -> bool:
        name = type(duty).__name__
        try:
            duty.do(self._app)
        except Exception as error:  # whatever was wrong with this round, the next one may do
            self._say_once(AWAY if isinstance(error, Unavailable) else name, error)
            return False
        self._failing -= {AWAY, name}
        return True

    def _say_once(self, who: str, error: Exception) -> None:
        if who not in self._failing:
            self._failing.add(who)
            log.warning("%s will be tried again: %s", who, error, exc_info=not isinstance(error, BrokerError))
