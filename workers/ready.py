"""A claimed job that has been read: what will be called, with what, by which executor."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from postroom.jobs.origins import Origins
from postroom.workers.claimed import Claimed

THREAD, COROUTINE, ISOLATED = "thread", "coroutine", "isolated"


@dataclass(slots=True)
class Ready:
    """One job, ready to run."""

    job: Claimed
    name: str
    executor: str
    timeout: float
    """Seconds; 0 or less: for ever."""
    result_ttl: int
    """Seconds; 0: keep nothing, -1: for ever."""
    function: Callable[..., Any] | None = None
    """None for a job of RQ's, which is read where it runs."""
    args: Any = ()
    kwargs: Any = None
    origins: Origins | None = None
    """What these were read from, where that may hold more than they do."""

    def begin(self) -> bool:
        """Its handler begins now: its time ends with its deadline at the latest. False: that has passed."""
        left = self.job.expires - time.monotonic()
        if left < self.timeout or (self.timeout <= 0 and left < math.inf):
            self.timeout = left
        return left > 0
