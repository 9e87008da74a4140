"""A trial: one case's namespace, history and processes, from its first job to its verdict."""

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from postroom.jobs.keys import Keys
from tests.fault.history import FOLDER, History
from tests.fault.recorder import Recorder
from tests.fault.scan import scan
from tests.fault.verdict import Verdict, judge
from tests.integration.programs import Process, Program, children

PROGRAM = "tests.fault.program:app"
ROOT = Path(__file__).parents[2]


class Trial:
    """One case on one server; everything of it is ended and removed when it is left.

    Args:
        case: its name.
        url: the server.
        seed: of its randomness (`random`).
        queues: how many queues its jobs go to.
        settings: of its processes: `lease=2` is POSTROOM_LEASE=2; the defaults where none are given.
    """

    def __init__(self, case: str, url: str, seed: int, *, queues: int = 1, **settings: object) -> None:
        self.case, self.url, self.seed = case, url, seed
        self.random = random.Random(f"{case} {seed}")  # noqa: S311
        self.queues = [f"q{i}" for i in range(queues)]
        self.folder = Path(tempfile.mkdtemp(prefix="pr-fault-"))
        self.prefix = self.folder.name
        self.program = PROGRAM
        self.keys = Keys(self.prefix)
        self.history = History(self.folder)
        self.client: Any = redis.Redis.from_url(url, protocol=2)
        self.recorder = Recorder(url, self.keys.events(), self.history)
        self.began = time.monotonic()
        self._producers: list[tuple[Process, int]] = []
        self._program = Program(self.folder, url)
        self.environ = {
            "RQ_KEY_PREFIX": self.prefix,
            FOLDER: str(self.folder),
            "PYTHONPATH": str(ROOT),
            **{f"POSTROOM_{name.upper()}": str(value) for name, value in settings.items()},
        }

    # Processes -----------------------------------------------------------------------------------------------------

    def pool(self, *arguments: str, **environ: str) -> Process:
        """Start `postroom worker` on all queues, and wait until it takes jobs.

        By weight: in strict order a job that comes back to the last queue waits for all jobs of those before it, and
        how long that takes would tell nothing of recovery.
        """
        takes = [f"{queue}:1" for queue in self.queues]
        return self._program.worker(self.program, *takes, *arguments, **{**self.environ, **environ})

    def start(self, *arguments: str, **environ: str) -> Process:
        """Start Python with these arguments, as part of the case."""
        return self._program.start(*arguments, **{**self.environ, **environ})

    def produce(self, count: int, task: str = "work", args: Sequence[object] = (), *, batch: int = 1) -> Process:
        """Start a producer of `count` jobs."""
        said = [task, str(count), str(batch), ",".join(self.queues), json.dumps(list(args))]
        self._producers.append((self.start("-m", "tests.fault.producer", *said), count))
        return self._producers[-1][0]

    def insist(self, task: str = "work", args: Sequence[object] = (0.03,), *, pace: float = 0.004) -> Process:
        """Start a producer that hands over a job every `pace` seconds, again where it is told no, until `enough`."""
        return self.start("-m", "tests.fault.insistent", task, str(pace), ",".join(self.queues), json.dumps(list(args)))

    def enough(self, producer: Process) -> None:
        """Let it end; what it has begun to hand over is acknowledged then."""
        (self.folder / "enough").touch()
        if code := producer.wait(60):
            raise RuntimeError(f"the producer ended with {code}")

    def children(self, pool: Process) -> list[int]:
        """The pool's worker processes."""
        return children(pool.pid)

    def send(self, pid: int, number: signal.Signals, what: str = "") -> None:
        """Signal a process, and write it down before, and again after: it may begin something until then."""
        self.history.fault(what or number.name, pid)
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            self.history.fault("late", pid)
        else:
            self.history.fault(what or number.name, pid)

    def kill_all(self, pool: Process) -> None:
        """SIGKILL a pool and its worker processes at one stroke, as a host that is lost."""
        pids = self.children(pool)
        self.history.faults("SIGKILL", [*pids, pool.pid])
        os.kill(pool.pid, signal.SIGSTOP)  # it must not see its children die
        for pid in pids:
            os.killpg(pid, signal.SIGKILL)
        self.history.faults("SIGKILL", pids)
        pool.kill()

    # The end -------------------------------------------------------------------------------------------------------

    def wait(self, condition: Callable[[], Any], seconds: float) -> bool:
        """Until it holds; False where it did not within the time, which the verdict will show."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def at_rest(self) -> bool:
        """Nothing waits, nothing runs: at one moment, for a job that goes back to its queue would slip past two."""
        keys = self.keys
        with self.client.pipeline(transaction=True) as pipe:
            for queue in self.queues:
                pipe.llen(keys.queue(queue))
                pipe.zcard(keys.wip(queue))
                pipe.zcard(keys.scheduled(queue))
                pipe.zcard(keys.deferred(queue))
            return not any(pipe.execute())

    def finish(self, *pools: Process, seconds: float = 60, within: float | None = None) -> Verdict:
        """Let every job end, stop the pools, and judge.

        Args:
            seconds: until rest; what has not ended then is lost.
            within: seconds within which what a dead worker ran must run again.
        """
        rested = self.wait(self.at_rest, seconds)
        for pool in pools:
            if pool.running:
                pool.signal(signal.SIGTERM)
        codes = [pool.wait(40) for pool in pools]
        rested = rested and self.at_rest()
        self.recorder.stop()
        verdict = judge(
            self.case, self.seed, self.history, scan(self.client, self.prefix), whole=self.recorder.whole, within=within
        )
        self.judged(verdict)
        if not rested:
            verdict.red.append(f"not at rest after {seconds:g} s")
        killed = {fault.pid for fault in self.history.all_faults() if fault.what == "SIGKILL"}
        for pool, code in zip(pools, codes, strict=True):
            if code != 0 and not (code == -signal.SIGKILL and pool.pid in killed):
                verdict.red.append(f"a pool ended with {code}")
        verdict.red += self.unproduced(verdict.acked)
        return verdict

    def unproduced(self, acked: int) -> Iterator[str]:
        """Producers that did not do what they were told: the case had fewer jobs than it says."""
        for producer, _ in self._producers:
            if producer.running or producer.wait():
                yield f"a producer has not done: {producer.log[-200:]!r}"
        wanted = sum(count for _, count in self._producers)
        if acked < wanted:
            yield f"{acked} jobs were acknowledged, {wanted} were made"

    def judged(self, verdict: Verdict) -> Verdict:
        """The verdict, with how long the case took."""
        verdict.seconds = round(time.monotonic() - self.began, 1)
        return verdict

    def _end_others(self) -> None:
        """A fork server that was stopped with its pool does not notice that the pool is gone."""
        mark = f"{FOLDER}={self.folder}\0".encode()
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):  # it has ended, or is not ours
                if mark in path.read_bytes():
                    os.kill(int(path.parent.name), signal.SIGKILL)

    @property
    def logs(self) -> str:
        """What all processes said, for whoever must find out."""
        return "\n".join(f"== {path.name}\n{path.read_text()}" for path in sorted(self.folder.glob("process-*.log")))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._program.close()
        self._end_others()
        self.recorder.stop()
        if kind is not None:
            sys.stderr.write(self.logs)
        self.client.close()
        shutil.rmtree(self.folder, ignore_errors=True)
