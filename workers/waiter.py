"""The waiter: one thread and one connection per queue that sleep until the queue has a job.

`BLMOVE q q LEFT LEFT` moves the head of the list to its own head: it waits for a non-empty list without taking anything
or changing its order, so a waiter that dies loses nothing, and a producer that only pushes (plain RQ) is heard.
"""

import logging
import random
import threading
import time
from collections.abc import Callable

import redis
from redis.exceptions import RedisError, ResponseError

from postroom.jobs.broker import Broker

log = logging.getLogger("postroom.worker")

BLOCK = 2
"""Seconds of one blocking call: how late a stop may be noticed."""


class Waiter:
    """Watches one queue while it is armed, and calls `ready` once when there is a job."""

    def __init__(self, broker: Broker, queue: str, ready: Callable[[str], None]) -> None:
        self._broker, self._queue, self._ready = broker, queue, ready
        self._key = broker.keys.queue(queue)
        self._armed = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._watch, name=f"postroom-wait-{queue}", daemon=True)
        self._thread.start()

    def arm(self) -> None:
        """Watch for the next job."""
        self._armed.set()

    def stop(self) -> None:
        """Let the thread end when its blocking call does."""
        self._stopping = True
        self._armed.set()

    def _watch(self) -> None:
        with self._broker.client(socket_timeout=BLOCK + self._broker.deadline) as client:
            while not self._stopping:
                self._armed.wait()
                try:
                    seen = self._has_job(client)
                except (RedisError, OSError) as error:
                    # The consumer speaks to the same server and says what is wrong. Here it is enough not to spin, and
                    # not to come back at the same moment as all other waiters.
                    log.debug("waiting for queue %s: %s", self._queue, error)
                    time.sleep(random.uniform(0.1, 0.5))  # noqa: S311
                    continue
                if seen and not self._stopping:
                    self._armed.clear()
                    self._ready(self._queue)

    def _has_job(self, client: redis.Redis) -> bool:
        try:
            return client.blmove(self._key, self._key, BLOCK, "LEFT", "LEFT") is not None
        except ResponseError:
            # Out of memory the server moves nothing, but it still tells whether there is something.
            if client.llen(self._key):
                return True
            raise
