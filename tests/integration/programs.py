"""What the tests share: workers in this process, and users' programs in processes of their own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postroom import Postroom
from postroom.jobs.settings import Settings
from postroom.scheduler import ALL, Rounds
from postroom.workers.local import LocalWorker


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """What `condition` returns once that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.005)
    raise AssertionError(f"not within {seconds} s: {condition!r}, last {condition()!r}")


def burst(app: Postroom, *queues: str, **options: Any) -> None:
    """Run what is queued, in this process."""
    LocalWorker(app, queues, burst=True, **options).run()


@contextlib.contextmanager
def working(app: Postroom, *queues: str, duties: bool = True, **options: Any) -> Iterator[LocalWorker]:
    """A worker in a thread of this process, with the duties beside it."""
    worker = LocalWorker(app, queues, **options)
    thread = threading.Thread(target=worker.run, name="worker")
    thread.start()
    rounds = Rounds(app, ALL if duties else ())
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(40)
        rounds.stop()
        assert not thread.is_alive()


def children(pid: int) -> list[int]:
    """The processes that `pid` has started, from any thread, and not yet buried; but not the fork server of a pool."""
    try:
        found = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in _children(task)]
    except FileNotFoundError:
        return []
    return [child for child in found if _name(child) != "postroom-forks"]


def _children(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except OSError:  # the thread has ended
        return []


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


@dataclass(frozen=True)
class Said:
    """What a command left: its exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """The JSON documents on stdout, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


Command = Callable[..., Said]
"""The `postroom` command in this process."""


class Process:
    """A process whose output goes to a file."""

    def __init__(self, command: list[str], folder: Path, environ: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, cwd=folder, env=environ, stdout=output, stderr=output)
        self.pid = self._process.pid

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text()

    @property
    def running(self) -> bool:
        """Has it not ended?"""
        return self._process.poll() is None

    def says(self, text: str, seconds: float = 20) -> None:
        """Wait until it has said `text`."""
        until(lambda: text in self.log or not self.running, seconds)
        assert text in self.log, self.log

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def signal_all(self, number: int) -> None:
        """Send it, and the processes that it has started, a signal."""
        for pid in (self.pid, *children(self.pid)):
            os.kill(pid, number)

    def wait(self, seconds: float = 30) -> int:
        """Its exit code, when it has ended."""
        return self._process.wait(seconds)

    def kill(self) -> None:
        """End it as a crash does, also where it is paused."""
        self._process.kill()
        self._process.wait()


AT_ONCE = {"POSTROOM_UNKNOWN_TASK_TTL": "0"}
"""No test waits a day for an unknown task to be dead."""


class Program:
    """A user's folder with modules, and the processes that run there.

    Args:
        python: the interpreter, which belongs to an environment.
    """

    def __init__(self, folder: Path, url: str, python: str = sys.executable) -> None:
        self.folder, self.url, self._python = folder, url, python
        self._processes: list[Process] = []

    def write(self, name: str, source: str) -> None:
        """Put a file there."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)

    def environ(self, **changes: str) -> dict[str, str]:
        """This process's environment without Postroom's variables but the URL; an empty value takes one away."""
        ours = {"REDIS_URL", "RQ_KEY_PREFIX", *(f"POSTROOM_{name.upper()}" for name in Settings.__dataclass_fields__)}
        kept = {name: value for name, value in os.environ.items() if name not in ours}
        found = {**kept, "POSTROOM_REDIS_URL": self.url, "PYTHONUNBUFFERED": "1", **AT_ONCE, **changes}
        return {name: value for name, value in found.items() if value}

    def start(self, *arguments: str, **environ: str) -> Process:
        """Start Python with these arguments."""
        log = self.folder / f"process-{len(self._processes)}.log"
        started = Process([self._python, *arguments], self.folder, self.environ(**environ), log)
        self._processes.append(started)
        return started

    def worker(self, *arguments: str, **environ: str) -> Process:
        """Start `postroom worker`, and wait until it takes jobs."""
        started = self.start("-m", "postroom", "worker", *arguments, **environ)
        started.says(" takes ")
        return started

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments to its end."""
        return subprocess.run(
            [self._python, *arguments],
            cwd=self.folder,
            env=self.environ(**environ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def close(self) -> None:
        """End what still runs."""
        for process in self._processes:
            process.kill()
