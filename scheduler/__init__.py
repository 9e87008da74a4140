"""The duties: what must happen though nobody asks, each one file of one shape."""

from importlib import import_module

from postroom.jobs.app import Postroom
from postroom.scheduler.alerts import find_rules
from postroom.scheduler.duty import Duty, Rounds
from postroom.scheduler.promote import Promote
from postroom.scheduler.recover import Recover
from postroom.scheduler.retain import Retain
from postroom.scheduler.tell import Tell

ALL: tuple[Duty, ...] = (Promote(), Recover(), Retain())
"""Those of every app."""


def duties(app: Postroom) -> tuple[Duty, ...]:
    """ALL, and those that the app asks for by hooks of its dead letters and by alert rules.

    Raises:
        ConfigError: the file of alert rules is wrong.
    """
    tell: tuple[Duty, ...] = (Tell(),) if app.hooks else ()
    path = find_rules(app.settings)
    # Imported only where there are rules: an HTTP client is megabytes in every pool.
    alert = import_module("postroom.scheduler.alerts.duties").duties(path) if path else ()
    return (*ALL, *tell, *alert)


__all__ = ["ALL", "Duty", "Rounds", "duties"]
