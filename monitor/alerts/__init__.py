"""Alerts: rules in a file, each of which fires once and says when it is over. Here: where the file is."""

from pathlib import Path

from postroom.jobs.errors import ConfigError
from postroom.jobs.settings import Settings

FILE = "postroom-alerts.toml"


def find_rules(settings: Settings) -> Path | None:
    """The file of alert rules; None where there is none.

    Raises:
        ConfigError: the settings name one that is not there.
    """
    if settings.alerts:
        path = Path(settings.alerts)
        if not path.is_file():
            raise ConfigError(f"alerts={settings.alerts!r}: there is no such file; name the file of alert rules")
        return path
    here = Path.cwd()
    return next((path for folder in (here, *here.parents) if (path := folder / FILE).is_file()), None)
