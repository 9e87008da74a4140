"""The isolated executor: jobs of `isolate=True` tasks, each in a process that may be killed without harm to others.

Processes are kept warm and used again; one that died, or had to be killed, is replaced for the next job.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict

import msgspec

from postroom.jobs.errors import JobInterrupted, JobTimeout
from postroom.workers.board import Board
from postroom.workers.lifeline import spawn
from postroom.workers.outcome import Outcome
from postroom.workers.ready import Ready
from postroom.workers.runner import Runner

log = logging.getLogger("postroom.worker")


class Isolated:
    """Up to `count` processes, started when first needed, each led by a thread.

    Args:
        target: `MODULE:app`, which the processes import.
        first: the board's first slot of ours; there are `count` from there.
        done: gets what became of a job; called by the threads.
    """

    def __init__(
        self,
        target: str,
        runner: Runner,
        board: Board,
        first: int,
        count: int,
        grace: float,
        done: Callable[[Outcome], None],
    ) -> None:
        self._target, self._runner, self._board, self._grace, self._done = target, runner, board, grace, done
        self._first, self._count = first, count
        self._ready: deque[Ready] = deque()
        self._work = threading.Condition()
        self._idle = 0
        self._stopping = False
        self._leads: list[_Lead] = []

    @property
    def free(self) -> int:
        """How many more jobs can begin."""
        return self._count - self.busy - len(self._ready)

    @property
    def busy(self) -> int:
        """How many jobs run."""
        return len(self._leads) - self._idle

    @property
    def waiting(self) -> int:
        """How many jobs wait for a process."""
        return len(self._ready)

    @property
    def oldest(self) -> float:
        """When the first of those was claimed, by time.monotonic(); 0 where none waits."""
        try:
            return self._ready[0].job.at
        except IndexError:
            return 0.0

    def give(self, jobs: Sequence[Ready]) -> None:
        """Let the processes have these, in order."""
        with self._work:
            self._ready.extend(jobs)
            for _ in range(min(len(self._ready) - self._idle, self._count - len(self._leads))):
                lead = _Lead(self, self._first + len(self._leads))
                self._leads.append(lead)
                lead.start()
            self._work.notify(len(jobs))

    def nudge(self) -> None:
        """Given jobs begin as soon as they can."""

    def take_back(self) -> list[Ready]:
        """What no process has begun."""
        with self._work:
            taken = list(self._ready)
            self._ready.clear()
        return taken

    def cancel(self, job_id: str) -> None:
        """Kill the process that runs this job."""
        for lead in self._leads:
            lead.cancel(job_id)

    def stop(self) -> None:
        """End idle processes; the lifeline ends the others with us."""
        with self._work:
            self._stopping = True
            self._work.notify_all()

    def next(self) -> Ready | None:
        """The next job for a lead; None where there is nothing more to come."""
        with self._work:
            self._idle += 1
            while not self._ready and not self._stopping:
                self._work.wait()
            self._idle -= 1
            return self._ready.popleft() if self._ready else None


class _Lead(threading.Thread):
    """Leads one process: gives it a job, waits, and kills it where it must be."""

    def __init__(self, pool: Isolated, slot: int) -> None:
        super().__init__(name=f"postroom-isolated-{slot}", daemon=True)
        self._pool, self._slot = pool, slot
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline = -1
        self._job_id = ""
        self._why: BaseException | None = None

    def cancel(self, job_id: str) -> None:
        """Kill the process, if it runs this job."""
        if self._job_id == job_id:
            self._kill(JobInterrupted())

    def run(self) -> None:
        """Jobs, one after another."""
        while (ready := self._pool.next()) is not None:
            self._pool._done(self._run(ready))
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _run(self, ready: Ready) -> Outcome:
        started, job = time.time(), ready.job
        limit = ready.timeout + self._pool._grace if ready.timeout > 0 else None
        # No hard deadline on the board: this process is killed here, not the whole worker by its pool.
        self._pool._board.enter(self._slot, job.id, job.token, started, 0.0)
        self._job_id, self._why = job.id, None
        killer = threading.Timer(limit, self._kill, (JobTimeout(),)) if limit else None
        try:
            if killer:
                killer.start()
            return self._ask(ready, started)
        finally:
            if killer:
                killer.cancel()
            self._job_id = ""
            self._pool._board.leave(self._slot)

    def _ask(self, ready: Ready, started: float) -> Outcome:
        process = self._process or self._spawn()
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        try:
            write_message(process.stdin.fileno(), msgspec.msgpack.encode(asdict(ready.job)))
            verb, args = msgspec.msgpack.decode(read_message(process.stdout.fileno()))
            return Outcome(verb, ready.job, args)
        except (OSError, EOFError):
            code = process.wait()
            os.close(self._lifeline)
            self._process = None
            if self._why is not None:
                return self._pool._runner.raised(ready, self._why, started)
            return self._pool._runner.died(ready, _how(code), started)

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "postroom.workers.isolated_process", self._pool._target]
        self._process, self._lifeline = spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self._process

    def _kill(self, why: BaseException) -> None:
        process = self._process
        if process is not None and self._job_id:
            self._why = why
            try:
                os.killpg(process.pid, signal.SIGKILL)  # the handler's own children, too
            except ProcessLookupError:
                log.debug("process %d was gone already", process.pid)


def _how(code: int) -> str:
    return f"signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"exit code {code}"


def write_message(fd: int, data: bytes) -> None:
    view = memoryview(len(data).to_bytes(4, "big") + data)
    while view:
        view = view[os.write(fd, view) :]


def read_message(fd: int) -> bytes:
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
