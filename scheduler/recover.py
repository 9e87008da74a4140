"""The duty of recovery: what a lost worker process held goes back to its queues."""

import logging

from postroom.jobs import calls
from postroom.jobs.app import Postroom

log = logging.getLogger("postroom.scheduler")


class Recover:
    """Finds processes whose lease has ended and puts their jobs back."""

    every = 1.0

    def __init__(self) -> None:
        self.recovered = 0
        """How many jobs this process has put back."""

    def do(self, app: Postroom) -> None:
        """One round."""
        for process in app.broker.run(calls.sweep(app.keys, app.settings.lease)):
            while back := app.broker.run(calls.recover(app.keys, process)):
                self.recovered += len(back)
                log.warning("worker %s is lost; put back %d of its jobs", process, len(back))
