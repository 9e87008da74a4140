"""A producer that makes every transition happen once: `python -m tests.fault.scenario QUEUES`.

Its steps are written down as they are done: one that was killed goes on where it was when it is started again.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from postroom import Postroom
from postroom.jobs.errors import DuplicateJob
from postroom.jobs.job import Job
from tests.fault.history import PLACES
from tests.fault.program import app, history

DONE = "done"
"""The file in the history's folder: a line for each step that was done."""
BEHIND = [(0.0,)] * 12 + [(0.5,)] * 4 + [(0.0,)] * 6
"""Seconds of one batch: the last wait behind slow ones."""


class Scenario:
    """The steps. Each may be done twice."""

    def __init__(self, queues: Sequence[str]) -> None:
        self.first, self.second, self.third = (queues[i % len(queues)] for i in range(3))

    def ordinary(self) -> None:
        """Jobs that return; one of them leaves nothing."""
        history.acked(app.enqueue("work", queue=self.first).id)
        history.acked(app.enqueue("work", queue=self.second, result_ttl=0).id)
        history.acked(asyncio.run(app.aenqueue("nap", queue=self.third)).id)

    def failing(self) -> None:
        """Jobs that are tried again later, at once, and not at all; and one that is not due yet."""
        history.acked(app.enqueue("flaky", 1, queue=self.first).id)
        history.acked(app.enqueue("eager", 1, queue=self.second).id)
        history.acked(app.enqueue("broken", queue=self.third).id)
        history.acked(app.enqueue("work", queue=self.third, delay=0.3).id)

    def keyed(self) -> None:
        """Jobs of one key, on all queues: one fails at first, one is put off, one is canceled and one deleted."""
        for queue, task, args in ((self.first, "flaky", (1,)), (self.second, "work", ()), (self.third, "broken", ())):
            history.acked(app.using(task, queue=queue, key="k").enqueue(*args).id)
        history.acked(app.using("work", queue=self.first, key="k", delay=0.3).enqueue().id)
        self.named("keyed-deleted", "work", self.second, delay=3600.0, key="k").delete()
        canceled = self.named("keyed-canceled", "work", self.first, delay=3600.0, key="k")
        canceled.cancel()
        history.acked(canceled.id, *app.using("work", queue=self.second, key="k").enqueue_many([()] * 2))

    def canceled(self) -> None:
        """Most likely while it is queued: the pool has only just been started."""
        job = self.named("canceled-queued", "work", self.second)
        job.cancel()
        history.acked(job.id)

    def deleted(self) -> None:
        """Not acknowledged: nobody must find it any more."""
        self.named("deleted", "work", self.first, delay=3600.0).delete()

    def declined(self) -> None:
        """Not acknowledged: no worker has its code, and it is deleted where it waits for one."""
        job = self.named("declined", "of_other_code", self.first)
        end = time.monotonic() + 20
        while job.status() in {"queued", "started"} and time.monotonic() < end:
            time.sleep(0.05)
        job.delete()

    def overrunning(self) -> None:
        """Jobs for the pool to settle."""
        history.acked(app.enqueue("overrun", queue=self.first).id)
        history.acked(app.enqueue("overrun_once", queue=self.first).id)

    def behind(self) -> None:
        """Jobs that wait behind slow ones."""
        history.acked(*app.using("work", queue=self.second).enqueue_many(BEHIND))

    def interrupted(self) -> None:
        """Canceled while it runs."""
        job = self.named("canceled-running", "patient", self.third, 1.5)
        end = time.monotonic() + 5
        while job.status() in {"queued", None} and time.monotonic() < end:
            time.sleep(0.05)
        job.cancel()
        history.acked(job.id)

    def bounded(self) -> None:
        """One that is late before it is enqueued, and a tree that is canceled when it has children."""
        over = datetime.now(UTC) - timedelta(seconds=1)
        history.acked(app.using("work", queue=self.first, deadline=over).enqueue().id)
        job = self.named("tree", "tree", self.second, 0.3, deadline=600.0)
        end = time.monotonic() + 5
        while job.status() == "queued" and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.1)
        job.cancel()
        history.acked(job.id)

    def limited(self) -> None:
        """More jobs than there are places; one producer knows nothing of their limit."""
        for who in (app, Postroom()):
            history.acked(*(who.enqueue("crowded", "c", n, 0, 0.05, queue=self.first).id for n in range(PLACES)))

    def named(self, job_id: str, task: str, queue: str, *args: object, **options: Any) -> Job[object]:
        """A job under this id, made now or by the process before this one."""
        try:
            return app.using(task, queue=queue, job_id=job_id, **options).enqueue(*args)
        except DuplicateJob:
            return app.job(job_id)


def main(queues: Sequence[str]) -> None:
    """Do what is not done yet."""
    scenario = Scenario(queues)
    steps: tuple[Callable[[], None], ...] = (
        *(scenario.ordinary, scenario.failing, scenario.canceled, scenario.deleted, scenario.interrupted),
        *(scenario.keyed, scenario.limited, scenario.bounded, scenario.behind, scenario.declined, scenario.overrunning),
    )
    path = history.folder / DONE
    done = path.read_text().split() if path.exists() else []
    for step in steps:
        if step.__name__ not in done:
            step()
            with path.open("a") as file:
                file.write(f"{step.__name__}\n")


if __name__ == "__main__":
    main(sys.argv[1].split(","))
