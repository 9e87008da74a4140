"""The duties: what must happen though nobody asks, each one file of one shape."""

from postroom.jobs.app import Postroom
from postroom.scheduler.duty import Duty, Rounds
from postroom.scheduler.promote import Promote
from postroom.scheduler.recover import Recover
from postroom.scheduler.retain import Retain
from postroom.scheduler.tell import Tell

ALL: tuple[Duty, ...] = (Promote(), Recover(), Retain())
"""Those of every app."""


def duties(app: Postroom) -> tuple[Duty, ...]:
    """ALL, and that of telling where the app has hooks of its dead letters."""
    tell: tuple[Duty, ...] = (Tell(),) if app.hooks else ()
    return (*ALL, *tell)


__all__ = ["ALL", "Duty", "Rounds", "duties"]
