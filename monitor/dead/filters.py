"""The filter: which dead letters are meant."""

from dataclasses import dataclass, replace

from postroom.jobs.errors import ConfigError
from postroom.jobs.failure import Cause
from postroom.jobs.options import check_queue_name
from postroom.jobs.times import rq_time


@dataclass(frozen=True, slots=True)
class Filter:
    """Dead letters that match everything that is given; all of them where nothing is.

    Raises:
        ConfigError: a value can match nothing, and says why.
    """

    queue: str = ""
    task: str = ""
    error: str = ""
    """A part of the reason, in capitals or not (ASCII)."""
    fingerprint: str = ""
    cause: str = ""
    """One of `Cause`."""
    since: float | None = None
    """They died at this time or later (seconds since the epoch)."""
    before: float | None = None
    """They died earlier than this. What has no time counts as old."""

    def __post_init__(self) -> None:
        if self.queue:
            check_queue_name(self.queue)
        if self.cause and self.cause not in set(Cause):
            raise ConfigError(f"cause={self.cause!r}: there are {', '.join(Cause)}")
        if self.since is not None and self.before is not None and self.since >= self.before:
            raise ConfigError("these ages exclude each other: nothing is newer than one and older than the other")

    @property
    def narrow(self) -> bool:
        """Does it name anything but the time before which they died?"""
        return replace(self, before=None) != Filter()

    def until(self, now: float) -> "Filter":
        """The same, and none that dies later than `now`: what is looked at and what is touched are then the same."""
        return self if self.before is not None else replace(self, before=now)

    def told_by(self, reason: str) -> bool:
        """Is the error a part of this reason? As sift.lua looks."""
        return _small(self.error) in _small(reason)

    def args(self) -> dict[str, str]:
        """As sift.lua takes it."""
        return {
            "task": self.task,
            "err": _small(self.error),
            "fingerprint": self.fingerprint,
            "cause": self.cause,
            "after": "" if self.since is None else rq_time(self.since),
            "before": "" if self.before is None else rq_time(self.before),
        }


def _small(text: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in text)
