"""Times as RQ writes them: UTC, microseconds, a trailing Z. Durations as people write them."""

import functools
import re
import time
from datetime import UTC, datetime

MOST = 10**10
"""The longest duration: three hundred years, in seconds. The server's own sums overflow somewhere beyond."""

_LONGEST = 40
"""More characters no time has."""

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
"""Seconds of a unit."""

_last: tuple[int, str] = (-1, "")


def rq_time(at: float | None = None) -> str:
    """`at` (seconds since the epoch; now, where None) in the form of `rq.utils.utcformat`.

    The text of the last second is kept: this runs twice for every job. One tuple, so that no thread reads half of it.
    """
    global _last  # noqa: PLW0603
    at = time.time() if at is None else at
    second = int(at)
    kept, text = _last
    if kept != second:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        _last = (second, text)
    return f"{text}.{int((at - second) * 1_000_000):06d}Z"


def parse_rq_time(text: str) -> datetime:
    """The aware datetime that RQ wrote.

    Raises:
        ValueError: `text` is no date.
    """
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def is_rq_time(text: str) -> bool:
    """Is this a time as RQ writes it?"""
    try:
        parse_rq_time(text)
    except ValueError:
        return False
    return True


def epoch(text: bytes | None) -> float | None:
    """A time that RQ wrote, in seconds since the epoch; None where it is none."""
    return _epoch(text) if text and len(text) <= _LONGEST else None


@functools.lru_cache(maxsize=64)  # jobs that were enqueued together have one
def _epoch(text: bytes) -> float | None:
    try:
        return parse_rq_time(text.decode(errors="replace")).timestamp()
    except (ValueError, OverflowError):
        return None


def age(text: bytes | None, now: float) -> float | None:
    """Seconds since a time that RQ wrote; None where it is none."""
    at = epoch(text)
    return None if at is None else max(0.0, now - at)


def duration(text: str) -> float:
    """Seconds of `90s`, `15m`, `2h`, `1d` or `1w`.

    Raises:
        ValueError: `text` is no duration.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text)
    if match is None:
        raise ValueError(f"{text!r} is no duration: write e.g. 90s, 15m, 2h, 1d or 1w")
    return float(match[1]) * UNITS[match[2]]


def span(seconds: float) -> str:
    """A duration as people say it: `4 ms`, `0.4 s`, `12 s`, `3 m`, `2 h`, `365 d`."""
    seconds = max(0.0, seconds)
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.1f}".removesuffix(".0") + " s"
