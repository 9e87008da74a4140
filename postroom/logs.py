"""Logs of the commands: plain lines that no error's text can forge, or a JSON object a line.

Only a command configures logging, and only the logger `postroom`: the root logger is the user's.
"""

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec

from postroom.jobs.context import current
from postroom.jobs.failure import sendable

PLAIN = "%(asctime)s %(levelname)s %(message)s"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def without_control(text: str) -> str:
    """What errors say must neither steer a terminal nor look like a line of its own: control characters are escaped,
    and what follows a line's end is indented.
    """
    escaped = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), sendable(text))
    return escaped.replace("\n", "\n  ")


class PlainFormatter(logging.Formatter):
    """A line for people."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line."""
        return without_control(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        """The traceback."""
        return "  " + without_control(super().formatException(ei))


class JsonFormatter(logging.Formatter):
    """An object a line: time (UTC), level, logger, message, pid; within a job also job, queue, task, attempt; with an
    exception its traceback. Also for an app's own handlers.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The object."""
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": sendable(record.getMessage()),
            "pid": record.process,
        }
        run = current.get(None)
        if run is not None:
            job = {"job": run.id, "queue": run.queue, "task": run.task, "attempt": run.attempt}
            told |= {name: sendable(value) if isinstance(value, str) else value for name, value in job.items()}
        if record.exc_info:
            told["traceback"] = sendable(self.formatException(record.exc_info))
        return msgspec.json.encode(told).decode()


def log_plainly(verbose: bool, log_json: bool, fmt: str = PLAIN, handler: logging.Handler | None = None) -> None:
    """Postroom's logs on stderr. Plain ones only where the app has set up no logging of its own.

    Args:
        handler: for plain ones, instead of one that writes to stderr.
    """
    logger = logging.getLogger("postroom")
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    if logger.handlers or (logging.getLogger().handlers and not log_json):
        return
    if log_json:
        logger.propagate = False  # or a handler of the root logger would say it again, in another form
    if log_json or handler is None:
        handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_json else PlainFormatter(fmt))
    logger.addHandler(handler)
