"""The waiters: the consumer's sleep. It ends when a queue has a job, or when another thread of the process calls.

`BLMOVE q q LEFT LEFT` moves the head of the list to its own head: it waits for a non-empty list without taking anything
or changing its order, so a waiter that dies loses nothing, and a producer that only pushes (plain RQ) is heard. The
consumer's thread watches these connections itself: threads for them would cost each job of an idle worker a hand-over.

Behind it on the same connection waits a standing claim, which the server makes the moment there is a job: that
spares the job of an idle worker a round trip.
"""

import logging
import os
import random
import selectors
import time
from collections.abc import Iterable, Sequence
from typing import Any

from redis.exceptions import RedisError, ResponseError

from postroom.jobs.broker import Broker, packed
from postroom.jobs.calls import Call

log = logging.getLogger("postroom.worker")

BLOCK = 2
"""Seconds of one blocking call."""


class Waiters:
    """One connection for each of `queues` that is armed. Only `wake` may be called by other threads."""

    def __init__(self, broker: Broker, queues: Iterable[str]) -> None:
        self._waiters = {queue: _Waiter(broker, queue) for queue in queues}
        self._selector = selectors.DefaultSelector()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self.called = False
        """Somebody has called since this was last set back."""
        self._asleep = False

    def wake(self) -> None:
        """End the sleep, or the next one."""
        # A system call only where somebody sleeps. Each side writes its own mark before it reads the other's.
        self.called = True
        if self._asleep:
            os.eventfd_write(self._bell, 1)

    def arm(self, queue: str, claim: Call[list[Any]] | None = None) -> None:
        """Watch for the next job of `queue`, and make `claim` when it comes."""
        waiter = self._waiters[queue]
        waiter.claim = claim
        self._ask(waiter)

    def wait(self, seconds: float) -> list[tuple[str, list[Any] | None]]:
        """Sleep for `seconds`, or until something happens.

        Returns:
            The queues that are armed no more, each with the reply to its claim; None where that is not known, or none
            was made: there may be jobs.
        """
        self._asleep = True
        found = self._selector.select(0 if self.called else seconds)
        self._asleep = False
        heard = []
        for key, _ in found:
            if key.data is None:
                os.eventfd_read(self._bell)
            elif (reply := self._hear(key.data)) != []:
                heard.append((key.data.queue, reply))
        now = time.monotonic()
        for waiter in self._waiters.values():
            if waiter.again and waiter.again <= now:
                waiter.again = 0.0
                heard.append((waiter.queue, None))
        return heard

    def close(self) -> None:
        """Watch no more."""
        self._selector.close()
        os.close(self._bell)
        for waiter in self._waiters.values():
            waiter.close()

    def _ask(self, waiter: "_Waiter") -> None:
        try:
            connection = waiter.ask()
        except (RedisError, OSError) as error:
            self._failed(waiter, error)
        else:
            self._selector.register(connection, selectors.EVENT_READ, waiter)

    def _hear(self, waiter: "_Waiter") -> list[Any] | None:
        """The reply to its claim; [] where the wait was in vain and begins anew."""
        self._selector.unregister(waiter.socket)
        try:
            seen, reply = waiter.hear()
        except (RedisError, OSError) as error:
            self._failed(waiter, error)
            return []
        if reply:
            return reply
        if seen:
            return None  # somebody else was quicker, or the claim was refused
        self._ask(waiter)
        return []

    def _failed(self, waiter: "_Waiter", error: Exception) -> None:
        # The consumer asks by itself then, with the same request, lest a claim that was made be forgotten; and it says
        # what is wrong. Here it is enough not to spin, and not to come back at the same moment as all other waiters.
        log.debug("waiting for queue %s: %s", waiter.queue, error)
        waiter.close()
        waiter.again = time.monotonic() + random.uniform(0.1, 0.5)  # noqa: S311


class _Waiter:
    """The connection that waits for one queue. Methods raise RedisError and OSError."""

    def __init__(self, broker: Broker, queue: str) -> None:
        self.queue = queue
        self._key = broker.keys.queue(queue)
        self._pool = broker.client(socket_timeout=broker.deadline).connection_pool
        self._connection: Any = None
        self.socket: Any = None
        self.claim: Call[list[Any]] | None = None
        self.again = 0.0
        """When the consumer shall ask, by time.monotonic(); 0 where that is not planned."""

    def ask(self) -> Any:
        """Ask for the next job; the socket on which the answer will come."""
        if self._connection is None:
            self._connection = self._pool.get_connection()
            # TLS tickets come first: read here, they cannot be taken for an answer.
            self._say("PING")
            self.socket = self._connection._sock
        asked: list[Sequence[Any]] = [("BLMOVE", self._key, self._key, "LEFT", "LEFT", BLOCK)]
        if self.claim is not None:
            asked.append(self.claim.command)
        self._connection.send_packed_command([packed(asked)])
        return self.socket

    def hear(self) -> tuple[bool, list[Any] | None]:
        """The answers: is there a job, and what did the claim bring?"""
        full: ResponseError | None = None
        seen, reply = False, None
        try:
            seen = self._connection.read_response() is not None
        except ResponseError as error:
            full = error
        if self.claim is not None:
            try:
                reply = self.claim.parse(self._connection.read_response())
            except ResponseError as error:  # its script is not loaded, or the server refuses it: the consumer will see
                log.debug("standing claim on queue %s: %s", self.queue, error)
        # Out of memory the server moves nothing, but it still tells whether there is something.
        if full is not None and not reply and not self._say("LLEN", self._key):
            raise full
        return seen or full is not None, reply

    def close(self) -> None:
        """Give the connection up."""
        if self._connection is not None:
            self._connection.disconnect()
            self._pool.release(self._connection)
            self._connection = self.socket = None

    def _say(self, *command: Any) -> Any:
        self._connection.send_command(*command)
        return self._connection.read_response()
