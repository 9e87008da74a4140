"""The outbox: outcomes on their way to the server. None leaves before the server has answered for it."""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.errors import ScriptFailed
from postroom.workers.outcome import Outcome, settle_calls
from postroom.workers.tally import Tally

log = logging.getLogger("postroom.worker")

MOST = 500
"""The most outcomes of one round trip."""
MOST_BYTES = 1_000_000
"""The most bytes of results of one round trip, but for the last."""
AGAIN = 1.0
"""Seconds until outcomes that the server refused are sent again."""

Settle = tuple[calls.Call[Any], list[Outcome]]


class Outbox:
    """Filled by any thread, emptied by the consumer's, which `wake` wakes."""

    def __init__(self, app: Postroom, process: str, wake: Callable[[], None], tally: Tally | None = None) -> None:
        self._app, self._process, self._wake, self._tally = app, process, wake, tally
        self._outcomes: deque[Outcome] = deque()
        self._refused: deque[tuple[float, Sequence[Outcome]]] = deque()
        self._said: set[str] = set()

    @property
    def empty(self) -> bool:
        """Nothing to tell."""
        return not self._outcomes and not self._refused

    def add(self, outcome: Outcome) -> None:
        """Tell the server of this."""
        if self._tally is not None:
            outcome.ended = time.time()
        self._outcomes.append(outcome)
        self._wake()

    def take(self) -> list[Settle]:
        """Calls for the next round trip, each with the outcomes that it carries."""
        while self._refused and self._refused[0][0] <= time.monotonic():
            self._outcomes.extend(self._refused.popleft()[1])
        taken: list[Outcome] = []
        size = 0
        while self._outcomes and len(taken) < MOST and size < MOST_BYTES:
            outcome = self._outcomes.popleft()
            size += len(outcome.args[2]) if outcome.verb == "complete" else 0
            taken.append(outcome)
        return settle_calls(taken, self._app.keys, self._process, self._app.settings) if taken else []

    def put_back(self, settles: Sequence[Settle]) -> None:
        """The round trip failed."""
        for _, part in reversed(settles):
            self._outcomes.extendleft(reversed(part))

    def settled(self, part: Sequence[Outcome], replies: Sequence[str] | ScriptFailed) -> int:
        """The server's answers for `part`; how many jobs were run and settled."""
        if not part:  # lines of logs: if they are refused, the outcome will be, too
            return 0
        what = f"outcomes of queue {part[0].job.queue}"
        if isinstance(replies, ScriptFailed):
            if what not in self._said:
                self._said.add(what)
                log.error("%s are refused, kept and sent again: %s", what, replies)
            self._refused.append((time.monotonic() + AGAIN, part))
            return 0
        if what in self._said:
            self._said.remove(what)
            log.warning("%s are taken again", what)
        if self._tally is not None:
            self._tally.count(part, replies)
        for outcome, reply in zip(part, replies, strict=True):
            if reply == calls.STALE and outcome.verb != "release":
                log.warning(
                    "job %s: this claim (token %d) had ended, its %s was not accepted",
                    outcome.job.id,
                    outcome.job.token,
                    outcome.verb,
                )
            elif outcome.after is not None:
                _follow_up(outcome)
        return 0 if part[0].verb == "release" else len(part)


def _follow_up(outcome: Outcome) -> None:
    try:
        if outcome.after is not None:
            outcome.after()
    except Exception:
        log.exception("job %s was settled, what should follow failed", outcome.job.id)
