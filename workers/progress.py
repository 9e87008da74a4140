"""How far jobs are, on its way to the server: what handlers say, the newest of each job, a few times a second."""

import logging
import threading
import time

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.context import Run
from postroom.jobs.errors import BrokerError
from postroom.jobs.progress import Progress

log = logging.getLogger("postroom.worker")

PACE = 0.25
"""Seconds between two sendings: a handler may say how far it is in every round of a loop."""


class Reporter:
    """Told by any thread and event loop. Its own thread begins with the first word, and not before."""

    def __init__(self, app: Postroom, process: str) -> None:
        self._app, self._process = app, process
        self._news: dict[str, tuple[Run, Progress]] = {}
        self._some = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def tell(self, run: Run, progress: Progress) -> None:
        """`run` is so far. Never waits for the server."""
        with self._lock:
            self._news[run.id] = run, progress
        self._some.set()
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._send, name="postroom-progress", daemon=True)
                    self._thread.start()

    def _send(self) -> None:
        while self._some.wait():
            self._some.clear()
            with self._lock:  # a word that came in between would be in neither
                news, self._news = self._news, {}
            try:
                self._app.broker.try_many([self._call(run, progress) for run, progress in news.values()])
            except BrokerError as error:
                log.debug("progress of %d jobs is not told: %s", len(news), error)
            time.sleep(PACE)

    def _call(self, run: Run, progress: Progress) -> calls.Call[bool]:
        return calls.progress(self._app.keys, run.id, run.fence, run.queue, self._process, progress.text)
