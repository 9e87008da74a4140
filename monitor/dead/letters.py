"""Dead letters as values: a row of a list, a group of them, and one with everything that is known of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from postroom.jobs.failure import Cause, Failure, failures
from postroom.jobs.job import failure_of
from postroom.jobs.times import parse_rq_time

_WHY = {
    Cause.EXHAUSTED: "its retries are used up",
    Cause.NOT_RETRYABLE: "its task does not try again after an error of this kind",
    Cause.DISCARDED: "its handler discarded it",
    Cause.POISON: "too many processes died while they ran it",
    Cause.UNDECODABLE: "what stands in Redis cannot be read as a call",
    Cause.UNKNOWN_TASK: "no task of this name is declared or allowed in the workers' app",
    Cause.EXPIRED: "its deadline was over before it could run",
    Cause.KILLED: "its process was killed, and it may not be tried again",
}


@dataclass(frozen=True, slots=True)
class Summary:
    """One dead letter in a list. What is not known is '' or None; times are seconds since the epoch."""

    id: str
    queue: str
    task: str
    reason: str
    cause: str
    fingerprint: str
    attempts: int | None
    ended: float | None
    expiry: float
    """When it will be forgotten; -1: never."""

    @classmethod
    def read(cls, queue: str, row: list[bytes]) -> "Summary":
        """A row of sift.lua."""
        job_id, score, cause, task, fingerprint, reason, ended, attempt = map(_text, row)
        attempts = int(attempt) if attempt.isdigit() else None
        return cls(job_id, queue, task, reason, cause, fingerprint, attempts, _time(ended), float(score))


@dataclass(frozen=True, slots=True)
class Group:
    """Dead letters of the same kind. What they do not have in common, or is not known, is ''."""

    queue: str
    task: str
    cause: str
    fingerprint: str
    count: int
    first: float | None
    last: float | None
    example: str
    """Id of the last that died."""
    reason: str
    """Its reason."""

    @classmethod
    def read(cls, queue: str, row: list[Any]) -> "Group":
        """A group of sift.lua."""
        cause, task, fingerprint, count, first, last, example, reason = row
        times = (_time(_text(first)), _time(_text(last)))
        kind = (_text(task), _text(cause), _text(fingerprint))
        return cls(queue, *kind, int(count), *times, _text(example), _text(reason))

    def join(self, other: "Group") -> "Group":
        """Both as one."""
        newest = max(self, other, key=lambda group: group.last or 0)
        times = [time for time in (self.first, other.first) if time is not None]
        shared = {name: value for name in KINDS if (value := getattr(self, name)) == getattr(other, name)}
        return replace(
            newest,
            **{**dict.fromkeys(KINDS, ""), **shared},
            count=self.count + other.count,
            first=min(times, default=None),
        )


KINDS = ("queue", "task", "cause", "fingerprint")
"""What dead letters can be grouped by."""


def merge(groups: Iterable[Group], *by: str) -> list[Group]:
    """One group for each value of `by` (of KINDS; all where none is named), the largest first."""
    found: dict[tuple[str, ...], Group] = {}
    for group in groups:
        key = tuple(getattr(group, name) for name in by or KINDS)
        found[key] = found[key].join(group) if key in found else group
    return sorted(found.values(), key=lambda group: -group.count)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Everything that is known of one dead letter."""

    summary: Summary
    failures: list[Failure]
    """Its failed executions, the last one last: the first and the newest nine, from before a redrive, too. RQ's workers
    keep none."""
    traceback: str
    death: str
    """How the last process died that it took with it."""
    deaths: int
    redelivered: int
    enqueued: float | None
    created: float | None
    started: float | None
    worker: str
    redriven: list[float]
    """When it was redriven, the newest ten times."""
    data: bytes | None
    content_type: str | None
    secret: list[int | str] | None
    """Which arguments are secret as a whole, by place or name; None where no worker knew the task."""

    @classmethod
    def read(cls, summary: Summary, stored: Mapping[bytes, bytes], entry: Mapping[bytes, bytes]) -> "DeadLetter":
        """A job's hash, and the newest entry of RQ's result stream."""
        found = {name.decode(errors="replace"): value for name, value in stored.items()}
        text = {name: _text(value) for name, value in found.items() if len(value) < 10_000}
        asked = {name: found.get(name) for name in ("worker_name", "exc_info", "p:reason")}
        reason, traceback = failure_of(asked, entry)
        redriven = [at for at in map(_time, text.get("p:redriven", "").split()) if at is not None]
        return cls(
            replace(summary, reason=reason),
            failures(stored),
            traceback,
            text.get("p:death", ""),
            _count(text.get("p:deaths")),
            _count(text.get("p:redelivered")),
            _time(text.get("enqueued_at", "")),
            _time(text.get("created_at", "")),
            _time(text.get("started_at", "")),
            text.get("worker_name", ""),
            redriven,
            found.get("data"),
            text.get("p:type"),
            _secret(summary.cause, found.get("p:secret")),
        )

    @property
    def why(self) -> str:
        """What stopped it, in a sentence."""
        cause = self.summary.cause
        if not cause:
            return "It failed; what stopped it was not recorded, as where a worker of RQ ran it."
        because = _WHY.get(Cause(cause), cause) if cause in set(Cause) else cause
        made = f", {self.summary.attempts} attempts were made" if cause == Cause.EXHAUSTED else ""
        return f"It will not be tried again by itself: {because}{made}."


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


def _secret(cause: str, stored: bytes | None) -> list[int | str] | None:
    if cause in {"", Cause.UNKNOWN_TASK, Cause.UNDECODABLE}:
        return None
    if stored is None:
        return []
    try:
        return msgspec.json.decode(stored, type=list[int | str])
    except msgspec.MsgspecError:
        return None


def _count(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _time(text: str) -> float | None:
    try:
        return parse_rq_time(text).timestamp()
    except (ValueError, OverflowError):
        return None
