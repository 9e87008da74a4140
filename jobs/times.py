"""Times as RQ writes them: UTC, microseconds, a trailing Z."""

import time
from datetime import UTC, datetime

MOST = 10**10
"""The longest duration: three hundred years, in seconds. The server's own sums overflow somewhere beyond."""

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
