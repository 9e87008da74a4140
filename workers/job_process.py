"""A job process: what the isolated executor runs jobs in, and may kill."""

import logging
import os
import signal
import subprocess
import sys

from postroom.jobs.failure import Death
from postroom.workers.evidence import Witness
from postroom.workers.lifeline import spawn

log = logging.getLogger("postroom.worker")


class JobProcess:
    """One process, as its lead sees it: spawned here, or forked (warm.py).

    Args:
        jobs, outcomes: the pipes to write jobs to, and to read outcomes from.
        lifeline: closed, it ends the process.
        witness: watches it.
        popen: where it was spawned.
    """

    def __init__(
        self,
        pid: int,
        jobs: int,
        outcomes: int,
        lifeline: int,
        witness: Witness,
        popen: "subprocess.Popen[bytes] | None" = None,
    ) -> None:
        self.pid, self._jobs, self._outcomes, self._lifeline = pid, jobs, outcomes, lifeline
        self._witness, self._popen = witness, popen
        self._death: Death | None = None
        self.is_ready = False
        """It has said that it has loaded the app."""

    @classmethod
    def spawn(cls, target: str, worker: str) -> "JobProcess":
        """Start one that will load the app `target`, for the worker process of this name.

        Raises:
            OSError: it could not be started.
        """
        near, jobs = os.pipe()
        outcomes, far = os.pipe()
        witness = Witness()
        command = [sys.executable, "-m", "postroom.workers.isolated_process", target, worker, str(witness.stack)]
        try:
            process, lifeline = spawn(command, fds=[witness.stack], stdin=near, stdout=far)
        except OSError:
            for fd in (jobs, outcomes):
                os.close(fd)
            witness.close()
            raise
        finally:
            os.close(near)
            os.close(far)
        return cls(process.pid, jobs, outcomes, lifeline, witness, process)

    @property
    def has_ended(self) -> bool:
        """Did it die?"""
        return self._reap(os.WNOHANG) is not None

    def await_ready(self) -> None:
        """Wait until it has loaded the app.

        Raises:
            OSError, EOFError: it ended before.
        """
        if not self.is_ready:
            read_message(self._outcomes)
            self.is_ready = True

    def run(self, job: bytes) -> bytes:
        """Give it a job; what became of it.

        Raises:
            OSError, EOFError: it died.
        """
        write_message(self._jobs, job)
        return read_message(self._outcomes)

    def kill(self) -> None:
        """SIGKILL it, and what its handler started."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            log.debug("process %d was gone already", self.pid)

    def end(self) -> Death:
        """See it off, with what its handlers have started; how it died."""
        self.kill()
        death = self._reap(0)
        for fd in (self._lifeline, self._jobs, self._outcomes):
            os.close(fd)
        self._witness.close()
        return death or Death(-1, "an unknown end")

    def _reap(self, how: int) -> Death | None:
        if self._death is None:
            self._death = self._witness.reap(self.pid, how)
            if self._death is not None and self._popen is not None:
                self._popen.returncode = self._death.exit_code
        return self._death


def write_message(fd: int, data: bytes) -> None:
    """Write one message: its length in four bytes, then itself."""
    view = memoryview(len(data).to_bytes(4, "big") + data)
    while view:
        view = view[os.write(fd, view) :]


def read_message(fd: int) -> bytes:
    """Read one message.

    Raises:
        EOFError: the pipe is closed.
    """
    size = int.from_bytes(_read_exactly(fd, 4), "big")
    return _read_exactly(fd, size)


def _read_exactly(fd: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = os.read(fd, size - len(data))
        if not part:
            raise EOFError
        data += part
    return data
