"""The crew: the demo's worker processes, each a real `postroom worker`."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

WORKERS = 2
REPLACEMENTS = 3
"""How many workers are replaced. A file that kills every worker that parses it must not go on for ever."""
_PARENT = "POSTROOM_DEMO_PARENT"


@dataclass(frozen=True, slots=True)
class Worker:
    """One of them."""

    process: "subprocess.Popen[bytes]"
    log: Path


class Crew:
    """WORKERS processes that run the jobs of `queue` on the server `url`, until the context is left.

    Their logs are files in `folder`, which goes with them unless one of them died.
    """

    def __init__(self, url: str, queue: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postroom-demo-"))
        self.deaths = 0
        self._queue = queue
        self._environ = {
            **os.environ,
            "POSTROOM_REDIS_URL": url,  # not an argument: those are for everybody's eyes, and it may have a password
            _PARENT: str(os.getpid()),
            # Old code is full of "invalid escape sequence", which is not what the demo is about.
            "PYTHONWARNINGS": "ignore::SyntaxWarning,ignore::DeprecationWarning",
            "PYTHONFAULTHANDLER": "1",
        }
        self._workers: list[Worker] = []

    def __enter__(self) -> Self:
        for number in range(1, WORKERS + 1):
            self._workers.append(self._start(number))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for worker in self._workers:
            worker.process.terminate()
        end = time.monotonic() + 5
        for worker in self._workers:
            try:
                worker.process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
        if not self.deaths:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pids(self) -> list[int]:
        """The process ids of those that live."""
        return [worker.process.pid for worker in self._workers]

    def look_after(self) -> list[str]:
        """Replace workers that have died; what happened, with the end of their logs."""
        news = []
        for worker in [worker for worker in self._workers if worker.process.poll() is not None]:
            self._workers.remove(worker)
            self.deaths += 1
            text = f"Worker {worker.process.pid} {_end(worker.process.returncode)}."
            if self.deaths <= REPLACEMENTS:
                self._workers.append(self._start(WORKERS + self.deaths))
                text += (
                    f" {self._workers[-1].process.pid} takes its place; what it held runs again when its lease ends."
                )
            elif not self._workers:
                text += " No worker is left."
            news.append("\n".join([f"{text} The end of {worker.log}:", *_tail(worker.log)]))
        return news

    def _start(self, number: int) -> Worker:
        log = self.folder / f"worker-{number}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(  # noqa: S603 - our own command, and this Python
                # A folder of our own, so that nobody's ast.py or redis.py is imported instead of the right one.
                [sys.executable, "-m", "postroom", "worker", "postroom.demo.tasks:app", self._queue],
                cwd=self.folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        return Worker(process, log)


def leave_with_the_demo() -> None:
    """In a pool that the demo started: end when the demo is gone, even where it was killed and could not say so. The
    pool's own processes end with the pool.
    """
    parent = int(os.environ.get(_PARENT, "0"))
    if parent == os.getppid():
        threading.Thread(target=_watch, args=(parent,), name="postroom-demo-leash", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def _end(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _tail(log: Path) -> list[str]:
    return [f"  {line}" for line in log.read_text(errors="replace").splitlines()[-6:]]
