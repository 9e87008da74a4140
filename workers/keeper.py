"""The keeper of leases: renews those of worker processes, and their announcements, from outside their interpreters.

It runs in the pool, where no handler can hold the GIL. A process is kept alive while its main loop goes round, or while
a job of it is within its hard deadline: a handler that holds the GIL for a minute in C loses nothing.
"""

import logging
import threading
import time
from dataclasses import dataclass, field

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.errors import BrokerError
from postroom.jobs.times import rq_time
from postroom.workers.announcement import REFRESH, Announcement
from postroom.workers.board import Board

log = logging.getLogger("postroom.pool")

FRESH = 3.0
"""Seconds since its last tick for which a main loop counts as going round."""


@dataclass(slots=True)
class _Kept:
    board: Board
    announcement: Announcement
    told: set[int] = field(default_factory=set)
    """The jobs whose start the server knows."""
    known: bool = True
    """It had a lease at the last beat. None is renewed before its first tick, and it has joined by then."""


class Keeper:
    """Renews in a thread of its own, all processes in one round trip."""

    def __init__(self, app: Postroom) -> None:
        self._app = app
        self._kept: dict[str, _Kept] = {}
        self._announce_at = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="postroom-keeper", daemon=True)
        self._thread.start()

    def add(self, board: Board, announcement: Announcement) -> None:
        """Keep the lease of the process that this announces, and the announcement."""
        self._kept[announcement.process] = _Kept(board, announcement)

    def remove(self, process: str) -> None:
        """Keep it no more."""
        self._kept.pop(process, None)

    def stop(self) -> None:
        """Keep none any more."""
        self._stopped.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stopped.wait(self._app.settings.lease / 6):
            try:
                living = {name: kept for name, kept in list(self._kept.items()) if lives(kept.board)}
                self._renew(living)
                if living and time.monotonic() >= self._announce_at:
                    self._announce_at = time.monotonic() + REFRESH
                    self._announce(living)
            except Exception:
                # Whatever it was, the next beat must come: without it every job of the pool would be others' soon.
                log.exception("leases were not renewed")

    def _renew(self, kept: dict[str, _Kept]) -> None:
        lease = self._app.settings.lease
        asked = [calls.renew(self._app.keys, name, lease, _news(one)) for name, one in kept.items()]
        try:
            replies = self._app.broker.try_many(asked) if asked else []
        except BrokerError as error:
            log.debug("leases were not renewed: %s", error)
            return
        for (name, one), known in zip(kept.items(), replies, strict=True):
            if known is False and one.known:
                log.warning("the lease of %s had ended: what it has not begun is others' now", name)
                one.board.lose_lease()
            if isinstance(known, bool):
                one.known = known

    def _announce(self, kept: dict[str, _Kept]) -> None:
        """After the leases: without one, nothing is announced."""
        keys = self._app.keys
        asked = [one.announcement.call(keys, busy=any(one.board.running())) for one in kept.values()]
        try:
            replies = self._app.broker.try_many(asked) if asked else []
        except BrokerError as error:
            replies = [error]
        for failed in (reply for reply in replies if isinstance(reply, BrokerError)):
            log.debug("a worker was not announced: %s", failed)


def lives(board: Board) -> bool:
    """Does its main loop go round, or a job of it still have time?"""
    now = time.monotonic()
    if now - board.ticked < FRESH:
        return True
    return any(not job.hard_deadline or job.hard_deadline > now for job in board.running())


def _news(kept: _Kept) -> list[object]:
    """Id, token and start of each job that was not told of yet. Short jobs never are: their settling tells."""
    told, news = set(), []
    for job in kept.board.running():
        mark = hash((job.id, job.token))
        told.add(mark)
        if mark not in kept.told:
            news += [job.id, job.token, rq_time(job.started)]
    kept.told = told
    return news
