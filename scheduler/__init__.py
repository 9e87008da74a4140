"""The duties: what must happen though nobody asks, each one file of one shape."""

from postroom.scheduler.duty import Duty, Rounds
from postroom.scheduler.promote import Promote
from postroom.scheduler.recover import Recover
from postroom.scheduler.retain import Retain

ALL: tuple[Duty, ...] = (Promote(), Recover(), Retain())

__all__ = ["ALL", "Duty", "Rounds"]
