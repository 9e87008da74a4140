"""Calendars of crontab expressions, by croniter. Imported where one is declared or evaluated: a producer without one
does not pay for it.
"""

import difflib
import math
import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from croniter import CroniterBadDateError, croniter

from postroom.jobs.errors import ConfigError

_CHANCE = re.compile(r"(^|[\s,])[hr]($|[\s,(/])", re.IGNORECASE)
"""croniter's fields of chance, which no two processes would read alike."""


class Crontab:
    """The times of five fields (minute, hour, day of month, month, day of week), or of `@daily` and its like.

    Where clocks are put forward, a time that is skipped comes once, at the first minute that there is: 02:30 at 03:00.
    Where they are put back, a time that comes twice counts the first time. Only where the hour is `*` do the times go
    on with the clock itself: none comes in place of skipped ones, and those of the repeated hour come again.

    Args:
        tz: the name of a time zone.

    Raises:
        ConfigError: it cannot be read, it names a time that never comes, or there is no such zone.
    """

    def __init__(self, text: str, tz: str) -> None:
        self._text, self._zone = text, _zone(tz)
        if not isinstance(text, str) or _CHANCE.search(text) or not (len(text.split()) == 5 or text.startswith("@")):
            raise ConfigError(f"cron={text!r}: five fields (minute hour day month weekday), or e.g. '@daily'")
        try:
            fields: Any = croniter.expand(text)[0]
        except (ValueError, TypeError, LookupError) as error:
            raise ConfigError(f"cron={text!r} cannot be read: {error}") from error
        self._by_the_clock = fields[1] == ["*"]

    def after(self, at: float) -> float:
        """The first time later than `at`; infinity where there is none. Both are seconds since the epoch."""
        times: Any = croniter(self._text, datetime.fromtimestamp(at, self._zone))
        try:
            found: datetime = times.get_next(datetime)
            while found.timestamp() <= at or (found.fold and not self._by_the_clock):
                found = times.get_next(datetime)
        except CroniterBadDateError:
            return math.inf
        return found.timestamp()


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError, TypeError):
        known = available_timezones()
        near = difflib.get_close_matches(str(name), known, 3) if known else ["none is installed: pip install tzdata"]
        raise ConfigError(
            f"tz={name!r}: there is no such time zone; write e.g. 'Europe/Paris'"
            + (f" (like it: {', '.join(near)})" if near else "")
        ) from None
