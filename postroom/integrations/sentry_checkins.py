"""Check-ins of Sentry's cron monitoring: the job of a tick has begun, has ended well, or has failed for good.

https://docs.sentry.io/platforms/python/crons/ · https://develop.sentry.dev/sdk/telemetry/check-ins/
"""

import hashlib
import math
import re
from typing import Any

import msgspec
from sentry_sdk.crons import capture_checkin

from postroom.jobs.observers import Execution
from postroom.jobs.schedules import TICK

_SLUG = 50
"""The most characters of a monitor's slug."""


class _Schedule(msgspec.Struct):
    """What the header of a tick's job says."""

    name: str
    cron: str
    every: float
    tz: str
    jitter: float
    timeout: int | None


def check_in(execution: Execution, status: str, duration: float | None = None) -> None:
    """Tell how the job of a tick stands; nothing where it is none, or where its interval is one Sentry does not know.

    All executions of a job are one check-in: what is tried again is still in progress.

    Args:
        status: `in_progress`, `ok` or `error`.
        duration: seconds.
    """
    header = execution.headers.get(TICK)
    if not header:
        return
    try:
        schedule = msgspec.json.decode(header, type=_Schedule)
    except msgspec.MsgspecError:
        return
    config = monitor_config(schedule)
    if config is not None:
        capture_checkin(
            monitor_slug=slug(schedule.name),
            check_in_id=hashlib.blake2b(execution.id.encode(), digest_size=16).hexdigest(),
            status=status,
            duration=duration,
            monitor_config=config,
        )


def slug(name: str) -> str:
    """The monitor's name as Sentry takes it: lower-case letters, digits, - and _, not digits alone."""
    made = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-")
    if made == name and len(made) <= _SLUG and not made.isdigit():
        return made
    mark = hashlib.blake2b(name.encode(), digest_size=3).hexdigest()
    return f"{made[: _SLUG - 9]}-{mark}".lstrip("-") if len(made) > _SLUG or not made or made.isdigit() else made


def monitor_config(schedule: Any) -> Any:
    """What Sentry is to expect; None where it cannot: it knows no interval but whole minutes."""
    if schedule.cron:
        expected: dict[str, Any] = {"type": "crontab", "value": schedule.cron}
    elif schedule.every % 60 == 0:
        expected = {"type": "interval", "value": int(schedule.every) // 60, "unit": "minute"}
    else:
        return None
    config = {"schedule": expected, "timezone": schedule.tz, "checkin_margin": 1 + math.ceil(schedule.jitter / 60)}
    return config | ({"max_runtime": math.ceil(schedule.timeout / 60)} if schedule.timeout else {})
