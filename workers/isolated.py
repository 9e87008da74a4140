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
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import IO, Protocol

import msgspec

from postroom.jobs.errors import JobInterrupted, JobTimeout
from postroom.workers.board import Board
from postroom.workers.lifeline import how_it_ended, spawn
from postroom.workers.line import WaitingLine
from postroom.workers.outcome import Outcome, released
from postroom.workers.ready import Ready
from postroom.workers.runner import Runner

log = logging.getLogger("postroom.worker")

START = 60.0
"""Seconds that a process has to load the app."""
PAUSE = 1.0
"""Seconds after a process that did not come up, before its job is given back."""


class Led(Protocol):
    """What a lead needs of its process: a spawned one's (subprocess.Popen), or a warm one's (warm.py)."""

    @property
    def pid(self) -> int: ...
    @property
    def stdin(self) -> IO[bytes] | None: ...
    @property
    def stdout(self) -> IO[bytes] | None: ...
    def poll(self) -> int | None: ...
    def wait(self) -> int: ...


class WarmProcess(Led, Protocol):
    """One that is there already."""

    @property
    def lifeline(self) -> int: ...


class Isolated(WaitingLine):
    """Up to `count` processes, started when first needed, each led by a thread.

    Args:
        target: `MODULE:app`, which the processes import.
        first: the board's first slot of ours; there are `count` from there.
        done: gets what became of a job; called by the threads.
        warm: a process for the first lead.
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
        warm: WarmProcess | None = None,
    ) -> None:
        super().__init__()
        self._warm = warm
        self.target, self.runner, self.board, self.grace, self.done = target, runner, board, grace, done
        self._first, self._count = first, count
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

    def give(self, jobs: Sequence[Ready]) -> None:
        """Let the processes have these, in order."""
        with self._work:
            self._ready.extend(jobs)
            for _ in range(min(len(self._ready) - self._idle, self._count - len(self._leads))):
                lead = _Lead(self, self._first + len(self._leads), self._warm)
                self._warm = None
                self._leads.append(lead)
                lead.start()
            self._work.notify(len(jobs))

    def nudge(self) -> None:
        """Given jobs begin as soon as they can."""

    def take_back(self) -> list[Ready]:
        """What no process has begun."""
        with self._work:
            return super().take_back()

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

    def __init__(self, pool: Isolated, slot: int, warm: WarmProcess | None) -> None:
        super().__init__(name=f"postroom-isolated-{slot}", daemon=True)
        self._pool, self._slot = pool, slot
        self._process: Led | None = warm
        self._lifeline = warm.lifeline if warm else -1
        self._fresh = warm is not None
        """It has not said yet that it is ready."""
        self._job_id = ""
        self._why: BaseException | None = None
        self._lock = threading.Lock()

    def cancel(self, job_id: str) -> None:
        """Kill the process, if it runs this job."""
        self._kill(job_id, JobInterrupted())

    def run(self) -> None:
        """Jobs, one after another."""
        while (ready := self._pool.next()) is not None:
            try:
                outcome = self._run(ready)
            except Exception:
                log.exception("job %s could not be run", ready.job.id)
                outcome = released(ready.job)
            self._pool.done(outcome)
        if self._process is not None:
            self._forget(self._process)

    def _run(self, ready: Ready) -> Outcome:
        try:
            process = self._at_hand()
        except (OSError, EOFError) as error:
            # Its start is nobody's job's fault: neither its time nor a death is charged.
            log.error("no isolated process came up, its job is given back: %s", error or "it ended at its start")
            time.sleep(PAUSE)
            return released(ready.job)
        started, job = time.time(), ready.job
        limit = ready.timeout + self._pool.grace if ready.timeout > 0 else None
        # No hard deadline on the board: this process is killed here, not the whole worker by its pool.
        self._pool.board.enter(self._slot, job.id, job.token, started, 0.0)
        with self._lock:
            self._job_id, self._why = job.id, None
        killer = threading.Timer(limit, self._kill, (job.id, JobTimeout())) if limit else None
        try:
            if killer:
                killer.start()
            return self._ask(process, ready, started)
        finally:
            if killer:
                killer.cancel()
            with self._lock:
                self._job_id = ""
            self._pool.board.leave(self._slot)

    def _ask(self, process: Led, ready: Ready, started: float) -> Outcome:
        jobs, outcomes = _pipes(process)
        try:
            write_message(jobs, msgspec.msgpack.encode(asdict(ready.job)))
            verb, args = msgspec.msgpack.decode(read_message(outcomes))
            return Outcome(verb, ready.job, args)
        except (OSError, EOFError):
            code = self._forget(process)
            if self._why is not None:
                return self._pool.runner.raised(ready, self._why, started)
            return self._pool.runner.died(ready, how_it_ended(code), started)

    def _at_hand(self) -> Led:
        """A process that has loaded the app.

        Raises:
            OSError, EOFError: it could not be started, or ended before it had.
        """
        if self._process is not None and self._process.poll() is not None:
            self._forget(self._process)  # it died idle
        if self._process is None:
            command = [sys.executable, "-m", "postroom.workers.isolated_process", self._pool.target]
            self._process, self._lifeline = spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self._fresh = True
        process = self._process
        if self._fresh:
            killer = threading.Timer(START, _kill_group, (process.pid,))
            killer.start()
            try:
                read_message(_pipes(process)[1])
            except (OSError, EOFError):
                self._forget(process)
                raise
            finally:
                killer.cancel()
            self._fresh = False
        return process

    def _forget(self, process: Led) -> int:
        """See the process off, with what its handlers have started; its exit code."""
        with self._lock:
            self._process = None
        _kill_group(process.pid)
        code = process.wait()
        os.close(self._lifeline)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        return code

    def _kill(self, job_id: str, why: BaseException) -> None:
        with self._lock:
            process = self._process
            if process is not None and self._job_id == job_id:
                self._why = why
                _kill_group(process.pid)


def _kill_group(pid: int) -> None:
    """SIGKILL an isolated process, and what its handler started."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        log.debug("process %d was gone already", pid)


def _pipes(process: Led) -> tuple[int, int]:
    """Where jobs are written and outcomes read."""
    if process.stdin is None or process.stdout is None:
        raise EOFError("it has no pipes")
    return process.stdin.fileno(), process.stdout.fileno()


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
