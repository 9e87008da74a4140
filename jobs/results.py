"""Waiting for jobs to end: one subscription per process, shared by all its waiters, threads and event loops alike.

Pub/sub is only a hint: a message may be lost, and RQ's own workers send none. So every waiter also looks by itself,
ever less often.
"""

import json
import logging
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator

from redis.exceptions import RedisError

from postroom.jobs.broker import Broker

log = logging.getLogger("postroom.results")

_ENDS = {"finished", "buried", "canceled", "expired"}
FIRST_LOOK, LAST_LOOK = 0.05, 1.0


class Listener:
    """Tells waiters that their job has ended. Its thread lives while somebody waits."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._lock = threading.Lock()
        self._waiters: dict[str, list[Callable[[], None]]] = defaultdict(list)
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()

    def add(self, job_id: str, wake: Callable[[], None]) -> None:
        """Call `wake` (from another thread) when the job may have ended."""
        if self._pid != os.getpid():  # forked: the thread and its waiters stayed behind
            self.__init__(self._broker)  # type: ignore[misc]
        with self._lock:
            self._waiters[job_id].append(wake)
            if self._thread is None:
                self._thread = threading.Thread(target=self._listen, name="postroom-results", daemon=True)
                self._thread.start()

    def remove(self, job_id: str, wake: Callable[[], None]) -> None:
        """Call `wake` no more."""
        with self._lock:
            waiters = self._waiters.get(job_id, [])
            if wake in waiters:
                waiters.remove(wake)
            if not waiters:
                self._waiters.pop(job_id, None)

    def _listen(self) -> None:
        try:
            with self._broker.client(socket_timeout=None) as client, client.pubsub() as channel:
                channel.subscribe(self._broker.keys.events())
                while self._wanted():
                    event = channel.get_message(ignore_subscribe_messages=True, timeout=0.5)
                    if event:
                        self._hear(event["data"])
        except (RedisError, OSError) as error:
            log.warning("no longer hearing of jobs' ends, looking instead: %s", error)
            with self._lock:
                self._thread = None

    def _wanted(self) -> bool:
        with self._lock:
            if self._waiters:
                return True
            self._thread = None
            return False

    def _hear(self, data: bytes) -> None:
        try:
            event = json.loads(data)
            ended = event["jobs"] if event["event"] in _ENDS else ()
            with self._lock:
                wakes = [wake for job_id in ended for wake in self._waiters.get(job_id, ())]
        except (ValueError, TypeError, LookupError):  # anybody may publish there
            log.debug("not an event: %r", data[:100])
            return
        for wake in wakes:
            wake()


def looks(timeout: float | None) -> Iterator[float]:
    """How long to wait before each further look, in seconds, until `timeout` is over."""
    end = None if timeout is None else time.monotonic() + timeout
    pause = FIRST_LOOK
    while True:
        left = pause if end is None else min(pause, end - time.monotonic())
        if left <= 0:
            return
        yield left
        pause = min(pause * 2, LAST_LOOK)
