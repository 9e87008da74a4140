"""A warm isolated process: forked from a worker process before that has threads, so that it is at hand at once.

What a dead process ran comes back and runs isolated: it shall not wait for an interpreter to start.
"""

import contextlib
import os
import threading

from postroom.workers.evidence import Witness
from postroom.workers.isolated_process import main
from postroom.workers.job_process import JobProcess
from postroom.workers.lifeline import call_this_process


def fork_warm(target: str, worker: str) -> JobProcess | None:
    """Fork a job process from this one, which has loaded the app; None where threads run here already."""
    if threading.active_count() > 1:
        return None
    jobs, ours_in = os.pipe()
    ours_out, outcomes = os.pipe()
    lifeline, ours = os.pipe()
    witness = Witness()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        os.dup2(jobs, 0)
        os.dup2(outcomes, 1)
        for fd in (jobs, outcomes, ours_in, ours_out, ours):
            os.close(fd)
        call_this_process("postroom-job")
        try:
            main(target, worker, witness.stack, lifeline)
        finally:
            os._exit(0)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)  # both sides do: neither may be the first to need it
    for fd in (jobs, outcomes, lifeline):
        os.close(fd)
    return JobProcess(pid, ours_in, ours_out, ours, witness)
