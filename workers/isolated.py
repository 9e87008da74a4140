"""The isolated executor: jobs of `isolate=True` tasks, each in a process that may be killed without harm to others.

Processes are kept warm and used again; one that died, or had to be killed, is replaced for the next job. No job waits
for a process to start while another one is there: a lead takes a job when its process can begin it.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict

import msgspec

from postroom.jobs.errors import JobInterrupted, JobTimeout
from postroom.jobs.failure import Death
from postroom.workers.board import Board
from postroom.workers.job_process import JobProcess
from postroom.workers.line import WaitingLine
from postroom.workers.notes import Notes
from postroom.workers.outcome import Outcome, released
from postroom.workers.ready import Ready
from postroom.workers.runner import Runner

log = logging.getLogger("postroom.worker")

START = 60.0
"""Seconds that a process has to load the app."""
PAUSE = 1.0
"""Seconds after a process that did not come up, before its job is given back."""


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
        warm: JobProcess | None = None,
    ) -> None:
        super().__init__()
        self._warm = warm
        self.target, self.runner, self.board, self.grace, self.done = target, runner, board, grace, done
        self._first, self._count = first, count
        self._work = threading.Condition()
        self._running = 0
        self._stopping = False
        self._leads: list[_Lead] = []

    @property
    def free(self) -> int:
        """How many more jobs can begin."""
        return self._count - self.busy - len(self._ready)

    @property
    def busy(self) -> int:
        """How many jobs run."""
        return self._running

    @property
    def oldest(self) -> float:
        """As of every executor; 0 also where a process is coming up for it."""
        return super().oldest if self._running == self._count else 0.0

    def give(self, jobs: Sequence[Ready]) -> None:
        """Let the processes have these, in order."""
        with self._work:
            self._ready.extend(jobs)
            idle = len(self._leads) - self._running
            for _ in range(min(len(self._ready) - idle, self._count - len(self._leads))):
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

    def await_work(self) -> bool:
        """Until a job waits for a lead; False where there is nothing more to come."""
        with self._work:
            while not self._ready and not self._stopping:
                self._work.wait()
            return bool(self._ready)

    def take(self) -> Ready | None:
        """The next job, for a lead that can begin it; None where others have taken all."""
        with self._work:
            if not self._ready:
                return None
            self._running += 1
            return self._ready.popleft()

    def settle(self, outcome: Outcome) -> None:
        """What became of a job that was taken."""
        self.done(outcome)
        with self._work:
            self._running -= 1


class _Lead(threading.Thread):
    """Leads one process: gives it a job, waits, and kills it where it must be."""

    def __init__(self, pool: Isolated, slot: int, warm: JobProcess | None) -> None:
        super().__init__(name=f"postroom-isolated-{slot}", daemon=True)
        self._pool, self._slot = pool, slot
        self._process = warm
        self._job_id = ""
        self._why: BaseException | None = None
        self._lock = threading.Lock()

    def cancel(self, job_id: str) -> None:
        """Kill the process, if it runs this job."""
        self._kill(job_id, JobInterrupted())

    def run(self) -> None:
        """Jobs, one after another."""
        while self._pool.await_work():
            process = self._prepare()
            ready = self._pool.take()
            if ready is None:
                continue
            try:
                outcome = self._run(process, ready) if process else released(ready.job)
            except Exception:
                log.exception("job %s could not be run", ready.job.id)
                outcome = released(ready.job)
            self._pool.settle(outcome)
        if self._process is not None:
            self._forget(self._process)

    def _prepare(self) -> JobProcess | None:
        """A process that can begin a job; None where it did not come up. That is nobody's job's fault."""
        try:
            return self._at_hand()
        except (OSError, EOFError) as error:
            log.error("no isolated process came up, a job is given back: %s", error or "it ended at its start")
            time.sleep(PAUSE)
            return None

    def _run(self, process: JobProcess, ready: Ready) -> Outcome:
        job = ready.job
        if not ready.begin():
            return released(job)  # the next claim sees that it has expired
        started = job.started = time.time()
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

    def _ask(self, process: JobProcess, ready: Ready, started: float) -> Outcome:
        try:
            verb, args, said = msgspec.msgpack.decode(process.run(msgspec.msgpack.encode(asdict(ready.job))))
            ready.job.notes = Notes.read(*said) if said else None
            return Outcome(verb, ready.job, args)
        except (OSError, EOFError):
            death = self._forget(process)
            if self._why is not None:
                return self._pool.runner.raised(ready, self._why, started, death)
            return self._pool.runner.died(ready, death, started)

    def _at_hand(self) -> JobProcess:
        """A process that has loaded the app.

        Raises:
            OSError, EOFError: it could not be started, or ended before it had.
        """
        if self._process is not None and self._process.has_ended:
            self._forget(self._process)  # it died idle
        process = self._process = self._process or JobProcess.spawn(self._pool.target, self._pool.runner.worker)
        if not process.is_ready:
            killer = threading.Timer(START, process.kill)
            killer.start()
            try:
                process.await_ready()
            except (OSError, EOFError):
                self._forget(process)
                raise
            finally:
                killer.cancel()
        return process

    def _forget(self, process: JobProcess) -> Death:
        with self._lock:
            self._process = None
        return process.end()

    def _kill(self, job_id: str, why: BaseException) -> None:
        with self._lock:
            if self._process is not None and self._job_id == job_id:
                self._why = why
                self._process.kill()
