"""The consumer claims and settles, all jobs of a process in a few round trips. One thread at a time leads it.

While a call is under way the executors run jobs, and their outcomes gather for the next call: batches grow with the
load and are single jobs when there is none.
"""

import logging
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.broker import RoundTrip
from postroom.jobs.errors import BrokerError, ScriptFailed
from postroom.workers.appetite import Appetite, Pace
from postroom.workers.choice import Choice
from postroom.workers.claimed import FOR_COUNTING, FOR_MESSAGES, FOR_OBSERVERS, read_claim
from postroom.workers.outbox import Outbox, Settle
from postroom.workers.outcome import Outcome, released
from postroom.workers.ready import Ready
from postroom.workers.tally import Tally
from postroom.workers.waiter import Waiters

log = logging.getLogger("postroom.worker")

STUCK = 0.25
"""Seconds that a claimed job may wait for a busy executor before it is given back."""
REFUSED = 1.0
"""Seconds until a queue that the server refuses is asked again."""
PAUSED = 0.25
"""Seconds between two looks at a paused queue, and until a claim is tried again that found this process gone."""


class Executor(Protocol):
    """What runs jobs: threads, coroutines, processes."""

    @property
    def free(self) -> int: ...
    @property
    def busy(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def lone(self) -> bool: ...
    @property
    def oldest(self) -> float: ...
    def give(self, jobs: Sequence[Ready]) -> None: ...
    def nudge(self) -> None: ...
    def take_back(self) -> list[Ready]: ...
    def cancel(self, job_id: str) -> None: ...
    def stop(self) -> None: ...


class Consumer:
    """Keeps the executors fed and the server told.

    Args:
        read: makes a claimed job ready, or its outcome where it cannot run.
        shares: for each queue, which executors its jobs go to, to begin with.
        thorough: ask a queue until it says that it is empty; in a burst nobody waits for what comes later.
        count_claim: called when a claim has brought jobs, before the first of them begins: the process may die of it.
        tally: counts what is settled.
    """

    def __init__(
        self,
        app: Postroom,
        choice: Choice,
        process: str,
        read: Callable[[Any], Ready | Outcome],
        shares: Mapping[str, Mapping[str, float]],
        *,
        thorough: bool = False,
        tally: Tally | None = None,
        count_claim: Callable[[], None],
    ) -> None:
        self._count_claim = count_claim
        self._broker, self._keys, self._settings, self._observers = app.broker, app.keys, app.settings, app.observers
        self._has_messages = any(task.signature and task.signature.contracts for task in app.tasks.values())
        self._choice, self._process, self._read, self._thorough = choice, process, read, thorough
        self._waiters = Waiters(app.broker, choice.queues)
        self._pace = Pace()
        self._tally = tally
        self.outbox = Outbox(app, process, self._waiters.wake, tally)
        self._appetites = {queue: Appetite(shares[queue], self._pace) for queue in choice.queues}
        self._awake = dict.fromkeys(choice.queues, 0.0)
        self._requests = dict.fromkeys(choice.queues, 1)
        self._refused: set[str] = set()
        self._unarmed: list[str] = []
        """Queues to watch; not at once, lest a job that has come must wait for that."""
        self._outage = False
        self.closing = False
        self.gone = False
        """The server has given this process up: what it had are others' jobs now, and it must join again."""
        self.settled = 0
        self.executors: Mapping[str, Executor] = {}

    def turn(self) -> None:
        """One turn: settle what is done, claim what can be started soon, or wait until there is something to do."""
        self._waiters.called = False
        self._arm()
        self._hear(0)
        if self._lone():
            return
        self._give_back_stuck()
        # The claim leaves first: while the server makes it, the settles are built; while it settles, what was claimed
        # is read and begun.
        claim = None if self.closing else self._next_claim()
        asked = self._send([claim[2]]) if claim else None
        settles = self.outbox.take()
        told = self._send([call for call, _ in settles]) if settles else None
        if asked is None and told is None:
            self._rest()
            return
        failed: BrokerError | None = None
        try:
            if claim and asked:
                self._claimed(claim[0], claim[1], asked.replies()[0])
                if told:  # which may take a while
                    for executor in self._lone():
                        executor.nudge()
        except BrokerError as error:
            failed = error
        try:
            if told:
                self._settled(settles, told.replies())
        except BrokerError as error:
            failed = error
            self.outbox.put_back(settles)
        if failed:
            self._say_once(failed)
        else:
            self._back_again()

    def join(self) -> None:
        """Say that this process is there; whoever has not cannot claim.

        Raises:
            BrokerError: it was not heard, or refused.
        """
        known = {queue: request - 1 for queue, request in self._requests.items()}
        self._broker.run(calls.join(self._keys, self._process, self._settings.lease, known))
        self.gone = False

    def join_again(self) -> bool:
        """Where this process was given up and shall claim; True where it has joined."""
        if self.closing:
            return False
        try:
            self.join()
        except BrokerError as error:
            self._say_once(error)
            return False
        return True

    def close(self) -> None:
        """Watch no queue any more."""
        self._waiters.close()

    @property
    def at_rest(self) -> bool:
        """Nothing runs, nothing waits, nothing to tell, and no queue that may have a job."""
        quiet = not any(executor.busy or executor.waiting for executor in self.executors.values())
        return quiet and self.outbox.empty and not self._awake

    @property
    def busy(self) -> int:
        """How many jobs run."""
        return sum(executor.busy for executor in self.executors.values())

    def look_again(self) -> None:
        """Any queue may have a job."""
        self._awake = dict.fromkeys(self._choice.queues, 0.0)

    def take_back(self) -> list[Ready]:
        """What no executor has begun."""
        return [ready for executor in self.executors.values() for ready in executor.take_back()]

    def give_back(self) -> None:
        """What no executor has begun, others may have."""
        for ready in self.take_back():
            self.outbox.add(released(ready.job))

    def _next_claim(self) -> tuple[str, int, calls.Call[list[Any]]] | None:
        now = time.monotonic()
        wants = {
            queue: want
            for queue, since in self._awake.items()
            if since <= now and (want := self._appetites[queue].jobs(self.executors)) > 0
        }
        queue = self._choice.next(wants)
        if queue is None:
            return None
        return queue, wants[queue], self._claim(queue, wants[queue])

    def _claim(self, queue: str, limit: int) -> calls.Call[list[Any]]:
        request, lease = self._requests[queue], self._settings.lease
        more: tuple[str, ...] = FOR_OBSERVERS if self._observers else FOR_COUNTING if self._tally else ()
        more = FOR_MESSAGES if self._has_messages else more
        return calls.claim(self._keys, queue, self._process, request, limit, lease, more=more)

    def _claimed(self, queue: str, limit: int, reply: list[Any] | ScriptFailed) -> None:
        if isinstance(reply, ScriptFailed):
            if queue not in self._refused:
                self._refused.add(queue)
                log.error("queue %s cannot be claimed from: %s", queue, reply)
            if self._thorough:
                self._awake.pop(queue, None)
            else:
                self._awake[queue] = time.monotonic() + REFUSED
            return
        if queue in self._refused:
            self._refused.remove(queue)
            log.warning("queue %s can be claimed from again", queue)
        if reply == [calls.GONE]:
            self.gone = True
            self._awake[queue] = time.monotonic() + PAUSED
            return
        if reply == [calls.PAUSED]:
            if self._thorough:
                self._awake.pop(queue, None)
            else:
                self._awake[queue] = time.monotonic() + PAUSED
            return
        jobs = read_claim(reply, queue, time.monotonic())
        if jobs:
            # Otherwise the number stays: a call that comes late and does find jobs is then a replay of the next one.
            self._requests[queue] += 1
        self._begin(queue, [self._read(job) for job in jobs])
        if not reply or (0 < len(jobs) < limit and not self._thorough):
            # The list is empty, or may be: the waiter finds out, for nothing. In a burst nobody waits.
            self._awake.pop(queue, None)
            if not self._thorough:
                self._unarmed.append(queue)

    def _arm(self) -> None:
        """Watch the queues that were found empty, and take what comes, so far as there is room for it now."""
        while self._unarmed and not self.closing:
            queue = self._unarmed.pop()
            room = self._appetites[queue].jobs(self.executors)
            self._waiters.arm(queue, self._claim(queue, room) if room else None)

    def _begin(self, queue: str, read: Sequence[Ready | Outcome]) -> None:
        """A claim brought these: give them to their executors."""
        if not read:
            return
        self._count_claim()
        by_executor: dict[str, list[Ready]] = {}
        for one in read:
            if isinstance(one, Outcome):
                self.outbox.add(one)
            else:
                by_executor.setdefault(one.executor, []).append(one)
        for name, jobs in by_executor.items():
            self.executors[name].give(jobs)
        self._appetites[queue].learn({name: len(jobs) for name, jobs in by_executor.items()})

    def _settled(self, settles: Sequence[Settle], replies: Sequence[Any]) -> None:
        for (_, part), reply in zip(settles, replies, strict=True):
            count = self.outbox.settled(part, reply)
            self.settled += count
            self._pace.add(count)

    def _send(self, asked: Sequence[calls.Call[Any]]) -> RoundTrip:
        trip = self._broker.round_trip(asked)
        trip.send()
        return trip

    def _give_back_stuck(self) -> None:
        """What waits behind slow jobs, others may have."""
        for executor in self.executors.values():
            oldest = executor.oldest
            if oldest and executor.free <= 0 and self._pace.silence > STUCK and time.monotonic() - oldest > STUCK:
                for ready in executor.take_back():
                    self.outbox.add(released(ready.job))

    def _lone(self) -> list[Executor]:
        """Executors with a job that this thread must run, or find another thread for."""
        return [executor for executor in self.executors.values() if executor.lone]

    def _rest(self) -> None:
        waiting = [executor for executor in self.executors.values() if executor.waiting]
        if not waiting:
            self._hear(PAUSED)
        elif any(executor.free for executor in waiting):
            # Jobs wait while one thread runs them: if it is not through in a moment, they are not short ones.
            if not self._hear(0.002):
                for executor in waiting:
                    executor.nudge()
        else:
            self._hear(STUCK)

    def _hear(self, seconds: float) -> bool:
        """Sleep, but for no longer than until something happens. True where it did."""
        heard = self._waiters.wait(seconds)
        for queue, reply in heard:
            self._awake[queue] = 0.0
            if reply is not None:
                room = self._appetites[queue].jobs(self.executors)
                self._claimed(queue, sys.maxsize, reply)
                if self.closing or not room:
                    self.give_back()  # there was room when it was asked for
        return bool(heard) or self._waiters.called

    def _say_once(self, error: BrokerError) -> None:
        if not self._outage:
            self._outage = True
            if self._tally is not None:
                self._tally.count_outage()
            log.error("%s. Waiting for it to come back; what is done is kept", error)
        self._hear(random.uniform(0.1, 0.5))  # noqa: S311

    def _back_again(self) -> None:
        if self._outage:
            self._outage = False
            log.warning("the server is back")
