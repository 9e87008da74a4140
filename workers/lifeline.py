"""The lifeline: a pipe whose far end a parent holds. When the parent is gone, however it died, so is this process."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Started:
    """A process that was started, and the descriptor that keeps it alive."""

    pid: int
    lifeline: int
    popen: "subprocess.Popen[bytes] | None" = None
    """Where it was spawned."""


def spawn(command: Sequence[str], *, fds: Sequence[int] = (), **options: Any) -> tuple[subprocess.Popen[bytes], int]:
    """Start a process that ends when this one does. Its last argument is the descriptor to `hold`.

    A process group of its own keeps a terminal's Ctrl-C from it: whoever leads it decides how it ends.

    Returns:
        The process, and the descriptor that keeps it alive; close it when the process is gone.
    """
    near, far = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603
            [*command, str(near)], pass_fds=(near, *fds), process_group=0, **options
        )
    finally:
        os.close(near)
    return process, far


def how_it_ended(code: int) -> str:
    """An exit code in words; negative: the signal that killed the process."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"


def call_this_process(name: str) -> None:
    """The name under which `ps -o comm` and `top` show it, where the system has such; 15 characters at most."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(name)


_PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent() -> None:
    """Let the kernel end this process when its parent is gone, where it can: also while a handler holds the GIL.

    It looks at the thread that started us; ours live as long as their processes do.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def hold(fd: int) -> None:
    """End this process at once when the pipe `fd` closes: nobody renews its lease, so its jobs are others' soon."""
    die_with_parent()

    def watch() -> None:
        try:
            os.read(fd, 1)
        finally:
            os.killpg(0, signal.SIGKILL)  # what handlers have started, too

    threading.Thread(target=watch, name="postroom-lifeline", daemon=True).start()
