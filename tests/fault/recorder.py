"""The recorder: hears every event of a case and writes it to the history.

Pub/sub tells nothing while a connection is away; `whole` says whether that was ever so.
"""

import json
import threading
import time

import redis
from redis.exceptions import RedisError

from tests.fault.history import History

ENDS = {"finished", "buried", "canceled", "expired"}


class Recorder:
    """A thread with one subscription."""

    def __init__(self, url: str, channel: str, history: History) -> None:
        self._url, self._channel, self._history = url, channel, history
        self.ended: set[str] = set()
        """The jobs whose end was heard of."""
        self.whole = True
        """Nothing can have been missed."""
        self._stopping = False
        self._subscribed = threading.Event()
        self._thread = threading.Thread(target=self._go, name="recorder", daemon=True)
        self._thread.start()
        if not self._subscribed.wait(10):
            raise RuntimeError(f"no subscription to {channel}")

    def stop(self) -> None:
        """Hear what is still to be heard, and end. May be called twice."""
        self._stopping = True
        self._thread.join()

    def _go(self) -> None:
        heard = True
        while not self._stopping:
            try:
                with redis.Redis.from_url(self._url, protocol=2) as client, client.pubsub() as channel:
                    channel.subscribe(self._channel)
                    while heard or not self._stopping:  # what was published may wait here for long: it is read slowly
                        message = channel.get_message(timeout=0.2)
                        heard = message is not None
                        if message and message["type"] == "subscribe":
                            self._subscribed.set()
                        elif message:
                            self._hear(json.loads(message["data"]))
            except (RedisError, OSError):
                self.whole = False
                time.sleep(0.02)

    def _hear(self, event: dict[str, object]) -> None:
        jobs = [str(job) for job in event["jobs"]]  # type: ignore[attr-defined]
        if event["event"] in ENDS:
            self.ended.update(jobs)
        self._history.event(str(event["event"]), jobs)
