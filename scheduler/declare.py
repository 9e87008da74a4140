"""The duty of declaring: the schedules in the app's code stand on the server, and somebody lives who has them; and the
rules of its limits.
"""

import logging

from postroom.jobs import calls, timetable
from postroom.jobs.app import Postroom
from postroom.jobs.limit_calls import keep_rules

log = logging.getLogger("postroom.scheduler")

FIRST, BEAT = 0.1, 10.0
"""Seconds until the first round, and between any two from then on."""


class Declare:
    """Says again and again what is declared here, one of these for each app."""

    def __init__(self) -> None:
        self.every = FIRST
        self._outvoted: set[str] = set()

    def do(self, app: Postroom) -> None:
        """One round: a script per schedule, in one round trip."""
        schedules = list(app.schedules.values())
        now = app.broker.run(calls.server_time())
        said = app.broker.run_many([timetable.declare(app.keys, one, one.after(now)) for one in schedules])
        stale = {one.name for one, reply in zip(schedules, said, strict=True) if reply == calls.STALE}
        for name in stale - self._outvoted:
            log.info("schedule %s: another version of the code has another, and that one counts", name)
        self._outvoted = stale
        if app.rules:
            app.broker.run_many(keep_rules(app.keys, app.rules))
        self.every = BEAT
