"""The lifeline: a pipe whose far end a parent holds. When the parent is gone, however it died, so is this process."""

import os
import subprocess
import threading
from collections.abc import Sequence
from typing import Any


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


def hold(fd: int) -> None:
    """End this process at once when the pipe `fd` closes: nobody renews its lease, so its jobs are others' soon."""

    def watch() -> None:
        try:
            os.read(fd, 1)
        finally:
            os._exit(1)

    threading.Thread(target=watch, name="postroom-lifeline", daemon=True).start()
