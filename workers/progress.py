"""What handlers say, on its way to the server: how far they are, the newest word of each job, and what they log. A few
times a second; what a job says last leaves with its outcome.
"""

import logging
import threading
import time
import traceback
from collections.abc import Callable

import msgspec

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.context import Run
from postroom.jobs.errors import BrokerError
from postroom.jobs.failure import sendable
from postroom.jobs.joblog import LONGEST, Stored
from postroom.jobs.progress import Progress
from postroom.jobs.secrets import Veil
from postroom.workers.claimed import Claimed
from postroom.workers.notes import Notes

log = logging.getLogger("postroom.worker")

PACE = 0.25
"""Seconds between two sendings: a handler may say how far it is in every round of a loop."""


class Reporter:
    """Told by any thread and event loop. Its own thread begins with the first word, and not before."""

    def __init__(self, app: Postroom, process: str, veil_of: Callable[[Claimed], Veil]) -> None:
        self._app, self._process, self._veil_of = app, process, veil_of
        self._news: dict[str, tuple[Run, Progress]] = {}
        self._noted: dict[str, tuple[Claimed, Notes]] = {}
        self._some = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def tell(self, run: Run, progress: Progress) -> None:
        """`run` is so far. Never waits for the server."""
        with self._lock:
            self._news[run.id] = run, progress
        self._wake()

    def note(self, job: Claimed, record: logging.LogRecord) -> None:
        """The handler of `job` logs this. Never waits for the server."""
        if job.notes is None:
            fresh = Notes(self._veil_of(job))
            with self._lock:
                job.notes = job.notes or fresh
        job.notes.add(_line(job, record, job.notes.veil))
        with self._lock:
            self._noted[job.id] = job, job.notes
        self._wake()

    def _wake(self) -> None:
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
                noted, self._noted = self._noted, {}
            taken = [(job, notes, notes.take()) for job, notes in noted.values() if not notes.settling]
            try:
                self._app.broker.try_many(
                    [
                        *(self._call(run, progress) for run, progress in news.values()),
                        *(calls.log(self._app.keys, job.id, job.token, *what) for job, _, what in taken),
                    ]
                )
                for _, notes, (first, count, _) in taken:
                    notes.confirmed(first + count)
            except BrokerError as error:
                log.debug("what %d jobs say is not told: %s", len(news) + len(taken), error)
                with self._lock:
                    self._noted = {**noted, **self._noted}
                self._some.set()
            time.sleep(PACE)

    def _call(self, run: Run, progress: Progress) -> calls.Call[bool]:
        return calls.progress(self._app.keys, run.id, run.fence, run.queue, self._process, progress.text)


def _line(job: Claimed, record: logging.LogRecord, veil: Callable[[str], str]) -> bytes:
    try:
        text = record.getMessage()
    except Exception as error:  # as of logging: a wrong format must not end the handler
        text = f"{record.msg!r} with {record.args!r}: {error!r}"
    if record.exc_info and record.exc_info[1] is not None:
        text += "\n" + "".join(traceback.format_exception(record.exc_info[1]))
    text = sendable(veil(text))
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}… ({len(text) - LONGEST:,} more characters)"
    return msgspec.json.encode(Stored(record.created, record.levelname, job.attempt, text)) + b"\n"
