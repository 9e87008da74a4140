"""The duties: what must happen though nobody asks, each one file of one shape."""

from postroom.scheduler.cron import Cron
from postroom.scheduler.declare import Declare
from postroom.scheduler.duty import Duty, Rounds
from postroom.scheduler.follow import Follow
from postroom.scheduler.offer import Offer
from postroom.scheduler.promote import Promote
from postroom.scheduler.recover import Recover
from postroom.scheduler.retain import Retain
from postroom.scheduler.tell import Tell
from postroom.scheduler.uproot import Uproot

ALL: tuple[Duty, ...] = (Promote(), Offer(), Cron(), Recover(), Retain(), Follow(), Uproot())
"""Those of every app."""

__all__ = ["ALL", "Declare", "Duty", "Rounds", "Tell"]
