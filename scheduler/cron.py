"""The duty of cron: each tick that is due becomes a job, once, however many processes do this duty."""

import logging
from collections.abc import Sequence

import msgspec

from postroom.jobs import calls, timetable
from postroom.jobs.app import Postroom
from postroom.jobs.errors import BrokerError, ConfigError, PostroomError, ScriptFailed
from postroom.jobs.messages import Placement, batch_of_one
from postroom.jobs.schedules import TICK
from postroom.jobs.times import span
from postroom.jobs.timetable import PAGE, Entry

log = logging.getLogger("postroom.scheduler")

MOST = 100
"""Ticks that a schedule makes up in one round: the process may be told to stop."""


class Cron:
    """Ticks the schedules on the server, also those that this app's code does not have. Goes by the server's clock."""

    every = 0.2

    def do(self, app: Postroom) -> None:
        """One round: whoever finds a tick due computes its job and the time of the next, and one script sets both."""
        wrong: PostroomError | None = None
        for _ in range(MOST):
            now, due = _due(app)
            made = False
            for start in range(0, len(due), PAGE):
                ticking, refused = _read(app, due[start : start + PAGE], now)
                replies = app.broker.try_many([_tick(app, entry, now) for entry in ticking]) if ticking else []
                for entry, reply in zip(ticking, replies, strict=True):
                    if isinstance(reply, BrokerError):
                        refused = reply
                    elif reply == "SKIPPED":
                        _say_skipped(entry, now)
                wrong = refused or wrong  # the others are made all the same
                made = made or calls.OK in replies
            if not made:
                break
        if wrong is not None:
            raise wrong


def _due(app: Postroom) -> tuple[float, list[tuple[str, float]]]:
    """The server's time, and which schedules are due since when."""
    now, found = app.broker.run_many([calls.server_time(), timetable.waiting(app.keys)])
    page = found
    while len(page) == PAGE and page[-1][1] <= now:
        page = app.broker.run(timetable.waiting(app.keys, len(found)))
        found += page
    # Once each: one that moved meanwhile may stand on two pages.
    return now, list({name: due for name, due in found if due <= now}.items())


def _read(app: Postroom, due: Sequence[tuple[str, float]], now: float) -> tuple[list[Entry], PostroomError | None]:
    """Those that tick, and what is wrong with one of the others."""
    wrong: PostroomError | None = None
    ticking = []
    stored = app.broker.try_many([timetable.stored(app.keys, name) for name, _ in due])
    for (name, since), fields in zip(due, stored, strict=True):
        if isinstance(fields, ScriptFailed):
            wrong = fields
            continue
        try:
            entry = Entry.read(fields, since)
            entry.schedule.options(since, now)  # what another version has stored may be nothing to this one
            _ = entry.schedule.calendar
        except ConfigError as error:
            wrong = ConfigError(f"schedule {name!r} does not tick: {error}")
            continue
        if entry.state(now) == "ticks":
            ticking.append(entry)
    return ticking, wrong


def _tick(app: Postroom, entry: Entry, now: float) -> calls.Call[str]:
    schedule = entry.schedule
    made, following = schedule.pending(entry.due, now)
    if made is None:
        return timetable.tick(app.keys, entry, None, following, None, Placement(""))
    options = schedule.options(made, now)
    # Not bounded here: whoever declared it has checked its size.
    batch = batch_of_one(schedule.task, schedule.args, schedule.kwargs, options, 1 << 30, now)
    about = {field: getattr(schedule, field) for field in ("name", "cron", "every", "tz", "jitter", "timeout")}
    batch.carry({TICK: msgspec.json.encode(about).decode()})
    return timetable.tick(app.keys, entry, made, following, batch, Placement.of(options))


def _say_skipped(entry: Entry, now: float) -> None:
    name, late = entry.schedule.name, span(now - entry.due)
    log.info(
        "schedule %s skips a tick, %s after its time: job %s has not ended, or it was missed", name, late, entry.job
    )
