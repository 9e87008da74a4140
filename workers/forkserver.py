"""The fork server: a process that has loaded the app and does nothing else, so that worker processes are forked from it
in milliseconds and share its memory. Both sides of its pipe are here.

It has one thread and forks nothing else: where the app started threads when it was imported, it says so, and its pool
spawns. A worker process is forked twice over, so that the pool inherits it (PR_SET_CHILD_SUBREAPER, prctl(2)) and sees
its death as that of any child. docs/decisions/0005-fork-server.md says why.
"""

import ctypes
import gc
import json
import logging
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from postroom.workers.lifeline import Started, call_this_process, spawn

log = logging.getLogger("postroom.pool")

LOAD = 60.0
"""Seconds that the app has to be loaded, before a pool begins without a fork server."""
ANSWER = 10.0
"""Seconds that a fork may take."""
_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_READY, _THREADS = b"ready", b"threads"
_MOST = 65_536


class ForkServer:
    """A pool's side: starts the fork server, and another when it has died; asks it for worker processes.

    Args:
        command: what starts it; gets what it must know as JSON, then the descriptor of its socket.
        said: what it must know.
    """

    def __init__(self, command: Sequence[str], said: dict[str, Any]) -> None:
        self._command, self._said = command, json.dumps(said)
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._lifeline = -1
        self._ready = False
        self._unfit = not _adopt_orphans()

    @property
    def pid(self) -> int:
        """Its process; 0 where there is none."""
        return self._process.pid if self._process else 0

    def wait(self, stopping: Callable[[], bool]) -> None:
        """Until it is ready, or is known not to be."""
        end = time.monotonic() + LOAD
        while not self._is_ready(0.1) and self._process is not None and time.monotonic() < end and not stopping():
            pass

    def fork(self, said: str, fds: Sequence[int]) -> Started | None:
        """A worker process that gets `said`, and `fds` as those numbers that `serve` tells it; None where it must be
        spawned.
        """
        if not self._is_ready(0.0) or self._socket is None:
            return None
        near, far = os.pipe()
        try:
            socket.send_fds(self._socket, [said.encode()], [near, *fds])
            pid = int(self._socket.recv(32) or 0)
        except (OSError, ValueError) as error:
            log.warning("the fork server did not answer, another is started: %s", error)
            pid = 0
            self.close()
        finally:
            os.close(near)
        if pid <= 0:
            os.close(far)
            return None
        return Started(pid, far)

    def close(self) -> None:
        """End it. What it has forked lives on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            os.close(self._lifeline)
        if self._socket is not None:
            self._socket.close()
        self._process = self._socket = None
        self._ready = False

    def _is_ready(self, seconds: float) -> bool:
        """Start it where it does not live; wait so long for its word."""
        if self._unfit or self._ready_and_well():
            return self._ready
        if self._process is None or self._socket is None:
            self._start()
            return False
        if not select.select([self._socket], [], [], seconds)[0]:
            return False
        word = self._socket.recv(32)
        self._ready = word == _READY
        if not self._ready:
            self._unfit = word == _THREADS
            if self._unfit:
                log.info("importing the app starts threads: worker processes are spawned, not forked")
            self.close()
        return self._ready

    def _ready_and_well(self) -> bool:
        if self._ready and self._process is not None and self._process.poll() is not None:
            log.warning("the fork server died, another is started")
            self.close()
        return self._ready

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            ours.settimeout(ANSWER)
            command = [*self._command, self._said, str(theirs.fileno())]
            self._process, self._lifeline = spawn(command, fds=[theirs.fileno()])
        self._socket = ours


def serve(control: socket.socket, names: Sequence[str], work: Callable[[dict[str, Any], int], None]) -> None:
    """Fork worker processes as the pool asks, until it is gone. Call it when all that they share is loaded.

    Args:
        names: under which of these the descriptors that come with an order stand in it.
        work: what a worker process does: gets its order and its lifeline, and never returns.
    """
    call_this_process("postroom-forks")
    if threading.active_count() > 1 or _tasks() > 1:
        control.send(_THREADS)
        return
    gc.collect()
    gc.freeze()  # a collection would write to every page that is shared
    control.send(_READY)
    while True:
        said, fds, _, _ = socket.recv_fds(control, _MOST, 1 + len(names))
        if not said:
            return
        pid = _fork_apart()
        if pid == 0:
            control.close()
            lifeline, *rest = fds
            work({**json.loads(said), **dict(zip(names, rest, strict=True))}, lifeline)
        for fd in fds:
            os.close(fd)
        control.send(str(pid).encode())


def _fork_apart() -> int:
    """Fork a process that is nobody's child here: its pid, and 0 in it; -1 where it could not be forked."""
    sys.stdout.flush()
    sys.stderr.flush()
    near, far = os.pipe()
    child = os.fork()
    if child == 0:
        _have_child(far)
        os.close(near)
        os.close(far)
        return 0
    os.close(far)
    word = os.read(near, 32)
    os.close(near)
    os.waitpid(child, 0)  # gone: its child is the pool's now
    return int(word or -1)


def _have_child(far: int) -> None:
    """Fork once more, tell the child's pid and end; return in the child, when it is the pool's."""
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        os._exit(1)
    if pid == 0:
        while os.getppid() == parent:
            time.sleep(0.0002)
        call_this_process("postroom-worker")
        return
    os.setpgid(pid, pid)
    os.write(far, str(pid).encode())
    os._exit(0)


def _adopt_orphans() -> bool:
    """Let this process inherit the children of its dead descendants; False where the system cannot."""
    if sys.platform != "linux":
        return False
    return int(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) == 0


def _tasks() -> int:
    """Threads of this process, also those that Python did not start."""
    return len(list(Path("/proc/self/task").iterdir()))
