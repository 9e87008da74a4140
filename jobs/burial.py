"""The burial: what a hook is told of a job that has become a dead letter. And hooks, of burials and of other events."""

import functools
import hashlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from postroom.jobs.errors import ConfigError

ALERTS = "alerts"
"""The queue that hooks run in, where they do not say another."""

_HOOK_JOB = re.compile(r"on-(dead|event)-[0-9a-f]{32}")


class Burial(msgspec.Struct, frozen=True):
    """One job that became a dead letter. What is not known is '' or 0."""

    id: str
    queue: str
    task: str = ""
    cause: str = ""
    """One of `postroom.jobs.failure.Cause`."""
    reason: str = ""
    """In a line: `ValueError: no`."""
    fingerprint: str = ""
    attempts: int = 0
    died: float = 0.0
    """When, in seconds since the epoch."""

    @classmethod
    def read(cls, job_id: str, entry: "Entry", stored: Mapping[str, bytes | None]) -> "Burial":
        """Of the entry's job, with FIELDS of its hash."""
        cause, reason, task, mark, attempts = ((stored.get(name) or b"").decode(errors="replace") for name in FIELDS)
        made = int(attempts) if attempts.isdecimal() and len(attempts) < 10 else 0
        return cls(job_id, entry.queue, task or entry.task, cause, reason, mark, made, entry.time)


FIELDS = ("p:cause", "p:reason", "p:task", "p:fingerprint", "p:attempt")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the stream of burials: jobs of one queue and task that were buried by one call."""

    id: str
    queue: str
    jobs: Sequence[str]
    task: str = ""
    """Its first 200 bytes."""

    @classmethod
    def read(cls, entry: bytes, flat: Sequence[bytes]) -> "Entry":
        """As the server replies it. What nobody of us wrote names no jobs."""
        words = [text.decode(errors="replace") for text in flat]
        fields = dict(zip(words[::2], words[1::2], strict=True))
        try:
            jobs = msgspec.json.decode(fields.get("jobs", "[]"), type=list[str])
        except msgspec.MsgspecError:
            jobs = []
        return cls(entry.decode(), fields.get("queue", ""), jobs, fields.get("task", ""))

    @property
    def time(self) -> float:
        """When it was written (seconds since the epoch)."""
        return int(self.id.partition("-")[0]) / 1000


@dataclass(frozen=True, slots=True)
class Hook:
    """Which burials, or events, a hook is told of; '': of every queue, of every task."""

    queue: str = ""
    task: str = ""
    event: str = ""
    """'': burials, as a Burial; else events of this name, as an Event."""

    def wants(self, burial: Burial) -> bool:
        """Is it told of this one? No hook is told of a hook's own death: it would never end."""
        if is_hook_job(burial.id):
            return False
        return self.queue in {"", burial.queue} and self.task in {"", burial.task}


def is_hook_job(job_id: str) -> bool:
    """Does this job tell a hook?"""
    return _HOOK_JOB.fullmatch(job_id) is not None


def hook_job(hook: str, entry: str, job_id: str, what: str = "dead") -> str:
    """The id of the job that tells `hook` of a burial, or of another `event`: the same, whoever makes it."""
    return f"on-{what}-{hashlib.blake2b(f'{hook} {entry} {job_id}'.encode(), digest_size=16).hexdigest()}"


def taking(kind: type, function: Callable[..., Any], declared: str) -> Callable[..., Any]:
    """`function` as a task, whose argument, of this kind, has come as JSON. `declared`: by what, for the error.

    Raises:
        ConfigError: it cannot be called with one argument.
    """
    signature = inspect.signature(function)
    try:
        signature.bind(None)
    except TypeError:
        told = f"{function.__qualname__}{signature}"
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        text = f"{declared}: {told} is called with {article} {kind.__name__}: let it take one argument"
        raise ConfigError(text) from None
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def atell(told: Any) -> Any:
            return await function(msgspec.convert(told, kind))

        return atell

    @functools.wraps(function)
    def tell(told: Any) -> Any:
        return function(msgspec.convert(told, kind))

    return tell
