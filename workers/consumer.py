"""The consumer: one thread that claims and settles, all jobs of a process in a few round trips.

While a call is under way the threads run jobs, and their outcomes gather for the next call: batches grow with the load
and are single jobs when there is none.
"""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Sequence

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.errors import BrokerError, ScriptFailed
from postroom.workers.claimed import Claimed, read_claim
from postroom.workers.outcome import Outcome, released, settle_calls
from postroom.workers.threads import Threads

log = logging.getLogger("postroom.worker")

MOST = 500
"""The most jobs of one claim."""
AHEAD = 0.05
"""Seconds: how far ahead of the threads to claim."""
STUCK = 0.25
"""Seconds that a claimed job may wait for a busy thread before it is given back."""
AGAIN = 1.0
"""Seconds until outcomes that the server refused are sent again."""
SETTLE_BYTES = 1_000_000


class Consumer:
    """Keeps the threads fed from `queues`, in strict order, and the server told.

    Args:
        thorough: ask a queue until it says that it is empty; in a burst nobody waits for what comes later.
    """

    def __init__(self, app: Postroom, queues: Sequence[str], process: str, *, thorough: bool = False) -> None:
        self._broker, self._keys, self._settings = app.broker, app.keys, app.settings
        self._queues, self._process = tuple(queues), process
        self._wake = threading.Event()
        self._outbox: deque[Outcome] = deque()
        self._awake = dict.fromkeys(queues, True)
        self._requests = dict.fromkeys(queues, 1)
        self._thorough = thorough
        self.claims = 0
        self._pace = Pace()
        self._kept: deque[tuple[float, Sequence[Outcome]]] = deque()
        self._refused = Refusals()
        self._outage = False
        self.closing = False

    # Called by other threads ---------------------------------------------------------------------------------------

    def done(self, outcome: Outcome) -> None:
        """A thread is done with a job."""
        self._outbox.append(outcome)
        if not self._wake.is_set():
            self._wake.set()

    def ready(self, queue: str) -> None:
        """A waiter saw a job on `queue`."""
        self._awake[queue] = True
        self._wake.set()

    def wake(self) -> None:
        """Look again: something has changed."""
        self._wake.set()

    # The loop ------------------------------------------------------------------------------------------------------

    def turn(self, threads: Threads, arm: dict[str, bool]) -> None:
        """One turn: settle what is done, claim what can be started soon, or wait until there is something to do.

        Args:
            arm: gets the queues that were found empty, for the waiters.
        """
        self._wake.clear()
        self._give_back_stuck(threads)
        outcomes = self._take_outcomes()
        claims = [] if self.closing else self._claims(threads)
        if not outcomes and not claims:
            self._rest(threads)
            return
        settles = settle_calls(outcomes, self._keys, self._process, self._settings)
        try:
            replies = self._broker.try_many([*(call for call, _ in settles), *(call for _, _, call in claims)])
        except BrokerError as error:
            self._outbox.extendleft(reversed(outcomes))
            self._say_once(error)
            return
        self._back_again()
        for (_, part), reply in zip(settles, replies, strict=False):
            self._settled(part, reply)
        for (queue, limit, _), reply in zip(claims, replies[len(settles) :], strict=True):
            self._claimed(threads, arm, queue, limit, reply)

    @property
    def at_rest(self) -> bool:
        """Nothing to tell, and no queue that may have a job."""
        return self.told and not any(self._awake.values())

    @property
    def told(self) -> bool:
        """Nothing to tell."""
        return not self._outbox and not self._kept

    def look_again(self) -> None:
        """Any queue may have a job."""
        self._awake = dict.fromkeys(self._queues, True)

    def give_back(self, jobs: Sequence[Claimed]) -> None:
        """These were never started."""
        self._outbox.extend(released(job) for job in jobs)
        self._wake.set()

    def _claims(self, threads: Threads) -> list[tuple[str, int, calls.Call[list[object]]]]:
        most, ready = min(MOST, threads.idle + int(self._pace.per_second * AHEAD)), len(threads.ready)
        # While half of what can be started soon is here, a claim would cost more than it brings.
        if most == 0 or 2 * ready > most:
            return []
        want = most - ready
        queue = next((name for name in self._queues if self._awake[name]), None)
        if queue is None:
            return []
        call = calls.claim(self._keys, queue, self._process, self._requests[queue], want, self._settings.lease)
        return [(queue, want, call)]

    def _claimed(
        self, threads: Threads, arm: dict[str, bool], queue: str, limit: int, reply: Sequence[object] | ScriptFailed
    ) -> None:
        if isinstance(reply, ScriptFailed):
            self._refused.say(f"queue {queue} cannot be claimed from", reply)
            self._awake[queue] = False
            arm[queue] = True
            return
        self._refused.over(f"queue {queue} cannot be claimed from")
        self._requests[queue] += 1
        jobs = read_claim(reply, queue, time.monotonic())
        if not reply or (0 < len(jobs) < limit and not self._thorough):
            # The list is empty, or may be: the waiter finds out, for nothing. In a burst there is none.
            self._awake[queue] = False
            arm[queue] = True
        if jobs:
            self.claims += 1
            threads.give(jobs)

    def _settled(self, part: Sequence[Outcome], replies: Sequence[str] | ScriptFailed) -> None:
        what = f"outcomes of queue {part[0].job.queue} are not taken, but kept and sent again"
        if isinstance(replies, ScriptFailed):
            self._refused.say(what, replies)
            self._kept.append((time.monotonic() + AGAIN, part))
            return
        self._refused.over(what)
        self._pace.add(len(part))
        for outcome, reply in zip(part, replies, strict=True):
            if reply == calls.STALE:
                log.warning(
                    "job %s: this claim (token %d) had ended, its %s was not accepted",
                    outcome.job.id,
                    outcome.job.token,
                    outcome.verb,
                )
            elif outcome.after is not None:
                _follow_up(outcome)

    def _take_outcomes(self) -> list[Outcome]:
        taken: list[Outcome] = []
        while self._kept and self._kept[0][0] <= time.monotonic():
            self._outbox.extend(self._kept.popleft()[1])
        size = 0
        while self._outbox and len(taken) < MOST and size < SETTLE_BYTES:
            outcome = self._outbox.popleft()
            size += len(outcome.args[2]) if outcome.verb == "complete" else 0
            taken.append(outcome)
        return taken

    def _give_back_stuck(self, threads: Threads) -> None:
        """What waits behind slow jobs, others may have."""
        try:
            oldest = threads.ready[0].at
        except IndexError:
            return
        if threads.idle == 0 and time.monotonic() - oldest > STUCK and self._pace.silent:
            self.give_back(threads.take_back())

    def _rest(self, threads: Threads) -> None:
        if threads.ready and threads.idle:
            # Jobs are waiting and one thread runs them: if it is not through in a moment, they are not short ones.
            if not self._wake.wait(0.002):
                threads.nudge(len(threads.ready))
            return
        self._wake.wait(STUCK)

    def _say_once(self, error: BrokerError) -> None:
        if not self._outage:
            self._outage = True
            log.error("%s. Waiting for it to come back; what is done is kept", error)
        self._wake.wait(random.uniform(0.1, 0.5))  # noqa: S311

    def _back_again(self) -> None:
        if self._outage:
            self._outage = False
            log.warning("the server is back")


class Refusals:
    """What the server refuses now: each is said once, and once more when it is over."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def say(self, what: str, error: ScriptFailed) -> None:
        """It is refused."""
        if what not in self._said:
            self._said.add(what)
            log.error("%s: %s", what, error)

    def over(self, what: str) -> None:
        """It is not."""
        if what in self._said:
            self._said.remove(what)
            log.warning("no longer: %s", what)


def _follow_up(outcome: Outcome) -> None:
    try:
        if outcome.after is not None:
            outcome.after()
    except Exception:
        log.exception("job %s was settled, what should follow failed", outcome.job.id)


class Pace:
    """How many jobs a second are settled lately."""

    WINDOW = 0.1

    def __init__(self) -> None:
        self.per_second = 0.0
        self._since = time.monotonic()
        self._count = 0

    @property
    def silent(self) -> bool:
        """Nothing was settled for as long as a claimed job may wait."""
        return time.monotonic() - self._since > STUCK

    def add(self, count: int) -> None:
        """`count` jobs were settled."""
        now = time.monotonic()
        self._count += count
        passed = now - self._since
        if passed >= self.WINDOW:
            latest = self._count / passed
            self.per_second = latest if latest < self.per_second else (self.per_second + latest) / 2
            self._since, self._count = now, 0
