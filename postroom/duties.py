"""Which duties an app asks for: chosen here, since they live in several rooms."""

from importlib import import_module

from postroom.jobs.app import Postroom
from postroom.monitor.alerts import find_rules
from postroom.scheduler import ALL, Declare, Duty, Tell


def duties(app: Postroom) -> tuple[Duty, ...]:
    """ALL, and those that the app asks for by schedules, by hooks of its dead letters and by alert rules.

    Raises:
        ConfigError: the file of alert rules is wrong.
    """
    declare: tuple[Duty, ...] = (Declare(),) if app.schedules else ()
    tell: tuple[Duty, ...] = (Tell(),) if app.hooks else ()
    path = find_rules(app.settings)
    # Imported only where there are rules: an HTTP client is megabytes in every pool.
    alert = import_module("postroom.monitor.alerts.duties").duties(path) if path else ()
    return (*declare, *ALL, *tell, *alert)
