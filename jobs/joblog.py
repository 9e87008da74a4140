"""The log of a job: the lines that its handlers log, kept in its hash and shown as they come."""

from collections.abc import Iterator
from typing import Any

import msgspec

from postroom.jobs import calls
from postroom.jobs.broker import Broker

LOG_FIELDS = ("p:log", "p:logged")
MOST_LINES = 1_000
"""Newest lines of a job that are kept,"""
MOST_BYTES = 65_536
"""and the most bytes of these. Both stand in log.lua, too."""
LONGEST = 4_096
"""Characters of a line."""
SILENCE = 30.0
"""Seconds after which a follower looks though it heard nothing: what is published may be lost."""

_ENDED = {b"finished", b"failed", b"canceled", b"stopped", None}
_ENDS = {"finished", "buried", "canceled", "expired"}


class Stored(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line as it is stored."""

    at: float
    level: str
    attempt: int
    text: str


class LogLine(Stored, frozen=True, kw_only=True):
    """A line of a job's log. `at`: seconds since the epoch by the worker's clock; `attempt`: the one that logged it."""

    number: int
    """From 1 in the order of coming, over all attempts."""


def log_lines(found: dict[str, bytes | None]) -> list[LogLine]:
    """The lines that are kept, from the LOG_FIELDS of a job's hash. What nobody of us wrote is no line."""
    kept = (found["p:log"] or b"").splitlines()
    total = (found["p:logged"] or b"").partition(b" ")[0]
    first = (int(total) if total.isdigit() else len(kept)) - len(kept) + 1
    lines = []
    for number, text in enumerate(kept, first):
        try:
            line = msgspec.json.decode(text, type=Stored)
        except msgspec.MsgspecError:
            continue
        lines.append(LogLine(line.at, line.level, line.attempt, line.text, number=number))
    return lines


def follow(broker: Broker, job_id: str) -> Iterator[LogLine]:
    """The lines that are kept, and then each that comes, until the job has ended.

    Raises:
        Unavailable: the server was not reached for the first look, or is gone.
    """
    seen, keys = 0, broker.keys
    look = calls.read(keys, job_id, "status", *LOG_FIELDS)
    broker.run(look)  # says plainly where there is no server
    with broker.client(socket_timeout=None) as client, client.pubsub() as channel:
        channel.subscribe(keys.log(job_id), keys.events())
        while True:
            found = broker.run(look)
            for line in log_lines(found):
                if line.number > seen:
                    seen = line.number
                    yield line
            if found["status"] in _ENDED:
                return
            _await_news(channel, job_id, keys.log(job_id).encode())


def _await_news(channel: Any, job_id: str, log: bytes) -> None:
    """Sleep until the job has logged something or ended, or for SILENCE."""
    while (message := channel.get_message(ignore_subscribe_messages=True, timeout=SILENCE)) is not None:
        if message["channel"] == log or _tells_end(message["data"], job_id):
            return


def _tells_end(data: bytes, job_id: str) -> bool:
    try:
        event = msgspec.json.decode(data)
        return event["event"] in _ENDS and job_id in event["jobs"]
    except (msgspec.MsgspecError, TypeError, LookupError):  # anybody may publish there
        return False
