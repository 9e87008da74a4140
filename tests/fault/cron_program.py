"""The program of the case `cron`: the one of all cases, where the environment may take the duty away, or lets it stand
still at the worst place.
"""

import os
import random
import time
from typing import Any

from postroom import Postroom
from postroom.scheduler import cron
from tests.fault import program
from tests.fault.unfenced import DAWDLES, IDLE, unswap_if_asked

SHORTEST, LONGEST = 0.5, 1.5
"""Seconds between what the duty has seen and what it does about it: others make this tick meanwhile, and the next."""

app = program.app
_read = cron._read


def _idle(_duty: cron.Cron, _app: Postroom) -> None:
    """Somebody else's."""


def _dawdle(*seen: Any) -> Any:
    found = _read(*seen)
    if found[0]:
        time.sleep(random.uniform(SHORTEST, LONGEST))  # noqa: S311
    return found


unswap_if_asked()
if os.environ.get(IDLE):
    cron.Cron.do = _idle  # type: ignore[method-assign, assignment]
if os.environ.get(DAWDLES):
    cron._read = _dawdle  # type: ignore[assignment]
