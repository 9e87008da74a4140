"""The timetable: the schedules as they stand on the server, and what is done to them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from postroom.jobs.calls import Call, script
from postroom.jobs.keys import Keys
from postroom.jobs.messages import Batch, Placement
from postroom.jobs.schedules import Schedule, read

PAGE = 100
LIVES = 60
"""Seconds for which a declaration counts: a process that declares a schedule says so again well within this time."""
_DECLARED = "declared:"


@dataclass(frozen=True, slots=True)
class Entry:
    """One schedule as it stands. Times are seconds since the epoch."""

    schedule: Schedule
    digest: str
    due: float
    """The tick that is waited for; infinity: none, or paused."""
    paused: bool
    added: bool
    """By hand, and so declared by no code."""
    declared: float
    """When a process declared it last, whichever version of it; 0: never."""
    last: float | None
    """The last tick that was made."""
    job: str
    """The id of its job."""

    @classmethod
    def read(cls, stored: Mapping[str, str], due: float) -> "Entry":
        """From its hash.

        Raises:
            ConfigError: it cannot be read.
        """
        times = [float(value) for field, value in stored.items() if field.startswith(_DECLARED)]
        last = stored.get("last")
        return cls(
            read(stored.get("definition", "")),
            stored.get("digest", ""),
            due,
            "paused" in stored,
            "added" in stored,
            max(times, default=0.0),
            float(last) if last else None,
            stored.get("job", ""),
        )

    def state(self, now: float) -> str:
        """`paused`; `undeclared`: no process that lives has it in its code, and it does not tick; else `ticks`."""
        if self.paused:
            return "paused"
        return "ticks" if self.added or self.declared > now - LIVES else "undeclared"


def waiting(space: Keys, start: int = 0, count: int = PAGE) -> Call[list[tuple[str, float]]]:
    """Names of schedules and the ticks that they wait for, the first due first."""
    command = ("ZRANGE", space.ticks(), start, start + count - 1, "WITHSCORES")

    def pairs(flat: list[bytes]) -> list[tuple[str, float]]:
        return [(name.decode(), float(due)) for name, due in zip(flat[::2], flat[1::2], strict=True)]

    return Call(command, pairs)


def due_of(space: Keys, name: str) -> Call[float | None]:
    """The tick that a schedule waits for; None: there is no such schedule."""
    return Call(("ZSCORE", space.ticks(), name), lambda score: None if score is None else float(score))


def stored(space: Keys, name: str) -> Call[dict[str, str]]:
    """The hash of a schedule."""

    def fields(flat: list[bytes]) -> dict[str, str]:
        said = [text.decode(errors="replace") for text in flat]
        return dict(zip(said[::2], said[1::2], strict=True))

    return Call(("HGETALL", space.schedule(name)), fields)


def declare(space: Keys, schedule: Schedule, following: float, now: float | str = "") -> Call[str]:
    """Code declares a schedule; OK: it counts from now on, ALREADY: it did, STALE: another version of it counts.

    Args:
        following: its first tick, where its calendar is new.
    """
    keys = {"schedule": space.schedule(schedule.name), "ticks": space.ticks()}
    args = {**_about(schedule), "following": _number(following), "lives": LIVES, "now": now}
    return script("declare", bytes.decode, space, keys, args)


def tick(
    space: Keys, entry: Entry, made: float | None, following: float, batch: Batch | None, place: Placement
) -> Call[str]:
    """Make the tick `made`, and set the next.

    Args:
        made, batch: None: it is dropped.

    Returns:
        OK; SKIPPED: dropped, or the job before has not ended; WAITS for that; ALREADY or STALE: others were faster.
    """
    schedule = entry.schedule
    job_id, _, data, key, *_ = ("", "", "", "") if batch is None else (*batch.jobs, "")
    keys = {
        "schedule": space.schedule(schedule.name),
        "ticks": space.ticks(),
        "queues": space.queues(),
        "queue": space.queue(schedule.queue),
        "scheduled": space.scheduled(schedule.queue),
        "deferred": space.deferred(schedule.queue),
    }
    args = {
        "name": schedule.name,
        "digest": entry.digest,
        "due": _number(entry.due),
        "following": _number(following),
        "made": "" if made is None else _number(made),
        "overlap": schedule.overlap,
        "run_at": place.due if place.where == "scheduled" else "",
        "id": job_id,
        "data": data,
        "key": key,
    }
    fields = batch.fields if batch else []
    if batch and batch.deadline:
        fields = [*fields, "p:deadline", batch.deadline]
    return script("tick", bytes.decode, space, keys, args, fields)


def alter(space: Keys, verb: str, name: str, following: float, schedule: Schedule | None = None) -> Call[str]:
    """What people do: add, pause, resume or remove; OK, ALREADY, MISSING, or TAKEN: the name is another's.

    Args:
        following: the next tick, of add and resume.
        schedule: of add.
    """
    keys = {"schedule": space.schedule(name), "ticks": space.ticks()}
    about = _about(schedule) if schedule else {"name": name, "digest": "", "definition": "", "calendar": ""}
    return script("alter", bytes.decode, space, keys, {**about, "verb": verb, "following": _number(following)})


def _about(schedule: Schedule) -> dict[str, str]:
    return {
        "name": schedule.name,
        "digest": schedule.digest,
        "definition": schedule.definition,
        "calendar": schedule.when,
    }


def _number(time: float) -> str:
    return "+inf" if time == math.inf else repr(time)
