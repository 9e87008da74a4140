"""Jobs that are fatal to the process that runs them: the program of the poison case.

`python -m tests.fault.poisons TASK COUNT TIMEOUT` enqueues one of them among COUNT ordinary neighbours. What a job is
about to do to its process it writes down as a fault, for its neighbours will start again for that reason.
"""

import ctypes
import os
import resource
import signal
import sys
import time

from postroom.jobs.context import current
from tests.fault.program import app, history, recorded

BOUND = 2_000_000_000
"""Bytes of address space that `swell_in_bounds` may have."""


def _starts(fault: str = "") -> None:
    job = current.get()
    history.run("start", job.id, job.fence, job.attempt)
    if fault:
        history.faults(fault, [os.getpid()], sync=False)  # its neighbours may begin until it strikes
    else:
        history.run("fail", job.id, job.fence, job.attempt)  # its process is killed for it, and cannot write any more


@app.task(name="segfault")
def segfault() -> None:
    """Reads address 0."""
    _starts("segfault")
    ctypes.string_at(0)


@app.task(name="leave")
def leave() -> None:
    """Ends its process with an exit code."""
    _starts("os._exit")
    os._exit(7)


@app.task(name="killed")
def killed() -> None:
    """Ends as one whom the kernel's OOM killer chose."""
    _starts("SIGKILL")
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="swell")
def swell() -> None:
    """Takes memory until its cgroup has no more."""
    _starts("out-of-memory")
    taken = []
    while True:
        taken.append(b"x" * 10_000_000)
        history.faults("out-of-memory", [os.getpid()], sync=False)  # it takes a while


@app.task(name="swell_in_bounds", isolate=True)
def swell_in_bounds() -> None:
    """Takes more memory than its process may have."""
    with recorded():
        kept = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (BOUND, kept[1]))
        try:
            bytearray(2 * BOUND)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, kept)


@app.task(name="hold", timeout=1)
def hold() -> None:
    """A C call that never lets go of the GIL."""
    _starts()
    ctypes.PyDLL(None).sleep(3600)  # unlike CDLL, it keeps the GIL while it calls


@app.task(name="deaf", timeout=2)
def deaf() -> None:
    """Hears no TERM, and swallows whatever is raised into it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    _starts()
    while True:
        try:
            while True:
                time.sleep(0.05)
        except BaseException as error:
            print(f"deaf to {error!r}", file=sys.stderr)


@app.task(name="deaf_apart", timeout=2, isolate=True)
def deaf_apart() -> None:
    """The same in a process of its own."""
    deaf()


def main(task: str, count: int, timeout: int) -> None:
    """Half of the neighbours, the poison and some that take long, the other half."""
    work, poison = app.using("work", queue="q0"), app.using(task, queue="q0")
    history.acked(*work.enqueue_many([(0.002,)] * (count // 2)))
    history.acked((poison.using(timeout=timeout) if timeout else poison).enqueue().id)
    history.acked(*work.enqueue_many([(0.5,)] * 6))
    history.acked(*work.enqueue_many([(0.002,)] * (count // 2)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
