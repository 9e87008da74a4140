"""Evidence: what is known of a process that died, from its exit, its memory and the last stack that it wrote."""

import os
import sys
from pathlib import Path

from postroom.jobs.failure import Death
from postroom.workers.lifeline import how_it_ended

STACK_LIMIT = 4000
"""The most bytes of a last stack."""


class Witness:
    """Watches one child process from before its start.

    Its `stack` is the descriptor of a file in memory, in which the child lets faulthandler write
    (https://docs.python.org/3/library/faulthandler.html).
    """

    def __init__(self) -> None:
        self.stack = os.memfd_create("postroom-stack")
        self._oom_kills = oom_kills()

    def reap(self, pid: int, how: int = 0) -> Death | None:
        """Reap the child; None where it lives on and `how` is os.WNOHANG."""
        found, status, usage = os.wait4(pid, how)
        if found == 0:
            return None
        code = os.waitstatus_to_exitcode(status)
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        stack = os.pread(self.stack, STACK_LIMIT, 0).decode(errors="replace")
        return Death(code, how_it_ended(code), peak, max(0, oom_kills() - self._oom_kills), stack)

    def close(self) -> None:
        """Let go of the stack."""
        os.close(self.stack)


def oom_kills() -> int:
    """How many processes the kernel has killed for memory in this process's cgroup; 0 where the system does not tell.

    cgroup v2: https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
    """
    try:
        path = next(
            line.partition("::")[2] for line in Path("/proc/self/cgroup").read_text().splitlines() if "::" in line
        )
        events = Path(f"/sys/fs/cgroup{path}/memory.events").read_text()
        return int(dict(line.split() for line in events.splitlines())["oom_kill"])
    except (OSError, StopIteration, KeyError, ValueError):
        return 0
