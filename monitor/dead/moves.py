"""Moves: what a bulk action does to dead letters, and what came of it."""

import json
import time
from collections import Counter
from dataclasses import asdict, dataclass, field

from postroom.jobs.messages import new_nonce
from postroom.monitor.dead.canary import Stopped

UNDO = 900
"""Seconds that the last action can be undone (lib/record.lua)."""
FEW = 10


@dataclass(frozen=True, slots=True)
class Action:
    """One bulk action: its id, the script that does it, when it began (seconds since the epoch)."""

    id: str
    verb: str
    at: float

    @classmethod
    def new(cls, verb: str) -> "Action":
        """One that begins now."""
        return cls(new_nonce(), verb, time.time())

    @property
    def about(self) -> str:
        """As it is kept."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, about: bytes | None) -> "Action | None":
        """What was kept."""
        return None if about is None else cls(**json.loads(about))


@dataclass(slots=True)
class Moved:
    """What came of an action."""

    action: str
    count: int = 0
    left: Counter[str] = field(default_factory=Counter)
    """Those that were not moved, by why."""
    left_ids: list[str] = field(default_factory=list)
    """The first FEW of them."""
    stopped: Stopped | None = None
    """Why it went no further."""

    def add(self, job_id: str, why_not: str | None) -> None:
        """One more."""
        if why_not is None:
            self.count += 1
            return
        self.left[why_not] += 1
        if len(self.left_ids) < FEW:
            self.left_ids.append(job_id)
