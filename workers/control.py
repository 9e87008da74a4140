"""Control: what a worker process is told while it works. Today: jobs that were canceled while they run here."""

import logging
import random
import threading
import time
from collections.abc import Callable

from redis.exceptions import RedisError

from postroom.jobs.broker import Broker

log = logging.getLogger("postroom.worker")


class Control:
    """Listens on the process's channel, in a thread of its own. A message that is lost while the server is away costs a
    cancellation its speed, not its effect: the completion of a canceled job is not accepted.
    """

    def __init__(self, broker: Broker, process: str, cancel: Callable[[str], None]) -> None:
        self._broker, self._cancel = broker, cancel
        self._channel = broker.keys.control(process)
        self._stopping = False
        threading.Thread(target=self._listen, name="postroom-control", daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        self._stopping = True

    def _listen(self) -> None:
        while not self._stopping:
            try:
                with self._broker.client(socket_timeout=None) as client, client.pubsub() as channel:
                    channel.subscribe(self._channel)
                    while not self._stopping:
                        message = channel.get_message(ignore_subscribe_messages=True, timeout=1.0)
                        if message:
                            self._cancel(message["data"].decode(errors="replace"))
            except (RedisError, OSError) as error:
                log.debug("control channel: %s", error)
                time.sleep(random.uniform(0.1, 0.5))  # noqa: S311
