"""One run of the demo: hand the files over, see that workers run, follow the jobs to their ends."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from postroom.demo.crew import Crew
from postroom.demo.files import to_text
from postroom.demo.ledger import WINDOW, Ledger
from postroom.jobs.app import Postroom

TASK = "postroom.demo.tasks.measure"
SILENCE = 30.0
"""Seconds without any job's end, after a worker died, until the open jobs count as lost."""
LONGEST = 90.0
"""The same while all workers live: a job may take its whole timeout of 60 s."""
PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class Show:
    """Whom a run tells: `progress` where the ledger stands, `say` what is worth a line."""

    progress: Callable[[Ledger], None]
    say: Callable[[str], None]


def hand_over(app: Postroom, queue: str, files: Iterable[str], ledger: Ledger, show: Show) -> None:
    """A job for each file, as the disk yields them.

    The task is named, not imported: this process is a producer and needs none of the worker's code.

    Raises:
        Unavailable: the server was not reached.
    """
    for job_id in app.using(TASK, queue=queue).enqueue_many((to_text(file),) for file in files):
        ledger.enter(job_id)
        if ledger.jobs % WINDOW == 0:
            ledger.look()
            show.progress(ledger)
    ledger.complete = True


def follow(ledger: Ledger, crew: Crew, lease: float, show: Show) -> None:
    """Return when every job has ended, or is lost.

    Args:
        lease: seconds until a lost worker's jobs run again.

    Raises:
        Unavailable: the server was not reached.
    """
    news = time.monotonic()
    while ledger.open:
        ended = ledger.look()
        show.progress(ledger)
        for line in crew.look_after():
            show.say(line)
        patience = max(SILENCE if crew.deaths else LONGEST, lease + 18)
        now = time.monotonic()
        if ended:
            news = now
        elif now - news > patience or not crew.pids:
            show.say(f"No job has ended for {now - news:.0f} s: {ledger.open:,} are given up as lost.")
            ledger.give_up()
        if ledger.open and ended < WINDOW:
            time.sleep(PAUSE)
