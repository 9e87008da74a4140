"""The calls about dead letters: what of them is looked at and moved, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from postroom.jobs.calls import Call, script
from postroom.jobs.keys import Keys

PAGE = 250
"""Dead letters that are looked at in one go: for so long the server does nothing else."""


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page of dead letters starts, and what it may hold (sift.lua)."""

    want: str
    """`ids`, `rows` or `groups`."""
    order: str = "oldest"
    """Or `newest`, first: by the time when they will be forgotten."""
    count: int = PAGE
    """The most entries to look at."""
    most: int = PAGE
    """The most to take."""
    after: tuple[bytes | str, bytes | str] = ("", "")
    """Score and id of the last entry that was looked at."""


def sift(
    space: Keys, queue: str, page: Page, which: dict[str, str]
) -> Call[tuple[tuple[bytes, bytes] | None, list[Any], list[Any]]]:
    """One page of a queue's dead letters: where the next one starts (None: nowhere), what matched, and rows of those
    whose reason the script cannot read.

    Args:
        which: the filter (`Filter.args`).
    """
    score, job_id = page.after
    args = {"order": page.order, "score": score, "id": job_id, "count": page.count, "most": page.most}

    def parse(reply: list[Any]) -> tuple[tuple[bytes, bytes] | None, list[Any], list[Any]]:
        return ((reply[0], reply[1]) if reply[0] else None), reply[2], reply[3]

    return script("sift", parse, space, {"failed": space.failed(queue)}, {**args, "want": page.want, **which})


def move(name: str, space: Keys, queue: str, action: str, jobs: Sequence[Any], **args: Any) -> Call[list[Any]]:
    """redrive, purge, import or undo dead letters of `queue`; the scripts tell what they reply for each.

    Args:
        action: the action's id, under which its record is kept.
    """
    target = args.pop("target", queue)
    keys = {
        "failed": space.failed(queue),
        "record": space.undo_record(action, queue),
        "undo": space.undo(),
        "queues": space.queues(),
        "queue": space.queue(queue),
        "target": space.queue(target),
    }
    names = {"queue_name": queue, "target_name": target, "action": action}
    return script(name, list, space, keys, {**names, **args}, jobs)
