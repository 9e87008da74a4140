"""A warm isolated process: forked from a worker process before that has threads, so that it is at hand at once.

What a dead process ran comes back and runs isolated: it shall not wait for an interpreter to start.
"""

import contextlib
import os
import threading
from typing import BinaryIO

from postroom.workers.isolated_process import main
from postroom.workers.lifeline import call_this_process


class Warm:
    """The worker process's side; to its lead it is like one that was spawned (subprocess.Popen)."""

    def __init__(self, pid: int, stdin: int, stdout: int, lifeline: int) -> None:
        self.pid, self.lifeline = pid, lifeline
        self.stdin: BinaryIO = os.fdopen(stdin, "wb", 0)
        self.stdout: BinaryIO = os.fdopen(stdout, "rb", 0)
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, where it has ended."""
        return self._reap(os.WNOHANG)

    def wait(self) -> int:
        """Its exit code, when it has ended."""
        code = self._reap(0)
        return -1 if code is None else code

    def _reap(self, how: int) -> int | None:
        if self._code is None:
            pid, status = os.waitpid(self.pid, how)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code


def fork_warm(target: str) -> Warm | None:
    """Fork an isolated process from this one, which has loaded the app; None where threads run here already."""
    if threading.active_count() > 1:
        return None
    jobs, ours_in = os.pipe()
    ours_out, outcomes = os.pipe()
    lifeline, ours = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        os.dup2(jobs, 0)
        os.dup2(outcomes, 1)
        for fd in (jobs, outcomes, ours_in, ours_out, ours):
            os.close(fd)
        call_this_process("postroom-job")
        try:
            main(target, lifeline)
        finally:
            os._exit(0)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)  # both sides do: neither may be the first to need it
    for fd in (jobs, outcomes, lifeline):
        os.close(fd)
    return Warm(pid, ours_in, ours_out, ours)
