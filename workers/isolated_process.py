"""The far side of the isolated executor: `python -m postroom.workers.isolated_process MODULE:app WORKER STACK
LIFELINE`.

Reads jobs from standard input and writes outcomes to what was standard output; what a handler prints goes to stderr.
"""

import faulthandler
import os
import sys
import threading
import time

import msgspec

from postroom.jobs.naming import import_target
from postroom.jobs.observers import FLUSH
from postroom.workers.board import Board
from postroom.workers.calling import Calling
from postroom.workers.claimed import Claimed
from postroom.workers.job_process import read_message, write_message
from postroom.workers.lifeline import hold
from postroom.workers.outcome import Outcome
from postroom.workers.rq_runner import RqRunner
from postroom.workers.runner import Runner
from postroom.workers.slots import Slot
from postroom.workers.threads import ALARM


def main(target: str, worker: str, stack: int, lifeline: int) -> None:
    """Run jobs of the worker process of this name until the pipe closes; the last stack goes to `stack`."""
    hold(lifeline)
    faulthandler.enable(os.fdopen(os.dup(stack), "w"))
    jobs, outcomes = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    app = import_target(target)
    app.load()
    runner = Runner(app, worker)
    calling = Calling(runner, RqRunner(app, worker, runner))
    slot = Slot(Board(1), 0, 0.0)
    threading.Thread(target=_watch, args=(slot,), daemon=True).start()
    write_message(outcomes, b"")  # ready: from here on, what happens is a job's doing
    while True:
        try:
            job = msgspec.msgpack.decode(read_message(jobs), type=Claimed)
        except EOFError:
            return
        read = runner.read(job)
        outcome = read if isinstance(read, Outcome) else calling(read, slot)
        app.observers.flush(FLUSH)  # once the outcome is known, this process may be killed
        said = outcome.job.notes.take() if outcome.job.notes else None
        write_message(outcomes, msgspec.msgpack.encode((outcome.verb, outcome.args, said)))


def _watch(slot: Slot) -> None:
    while True:
        slot.ring()
        time.sleep(ALARM)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
