"""The processes that are measured: producers and workers, started as a user would start them."""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.contender import Contender
from benchmarks.environments import ROOT, environment

FOREIGN = ("POSTROOM_", "RQ_", "CELERY_", "REDIS_", "BENCH_", "SIDEKIQ_", "dramatiq_", "TASKIQ_")
"""How the names of settings begin that somebody may have in the environment."""


def produce(contender: Contender, url: str, action: str, *numbers: int) -> float:
    """Let the contender's producer do an action of `benchmarks.producer`; the seconds it took.

    Raises:
        RuntimeError: it failed.
    """
    command = [*_resolved(contender, contender.producer), action, *map(str, numbers)]
    done = subprocess.run(command, cwd=ROOT, env=_environ(contender, url), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{contender.name}: {action} failed:\n{done.stderr[-2000:]}")
    return float(done.stdout)


class Workers:
    """The running worker processes of a contender."""

    def __init__(
        self,
        contender: Contender,
        url: str,
        processes: int = 1,
        *,
        slots: int = 0,
        stamps: Path | None = None,
    ) -> None:
        """Start them.

        Args:
            slots: coroutine jobs that each runs at once, where not the contender's usual number.
            stamps: the file that `stamp` jobs write to.
        """
        environ = _environ(contender, url, slots or contender.slots)
        if stamps is not None:
            environ["BENCH_STAMPS"] = str(stamps)
        values = {"{processes}": str(processes), "{slots}": environ["BENCH_SLOTS"]}
        command = [values.get(part, part) for part in _resolved(contender, contender.worker)]
        self._contender = contender
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the processes
        self._processes = [
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                start_new_session=True,
            )
            for _ in range(1 if "{processes}" in contender.worker else processes)
        ]

    def check(self) -> None:
        """See that all are there.

        Raises:
            RuntimeError: one has ended.
        """
        if any(process.poll() is not None for process in self._processes):
            raise self.failed("a worker ended by itself")

    def failed(self, why: str) -> RuntimeError:
        """The error that says so, with the end of what they printed."""
        self._output.seek(0)
        return RuntimeError(f"{self._contender.name}: {why}\n{self._output.read().decode(errors='replace')[-2000:]}")

    def peak_memory(self) -> int:
        """The most bytes that one of them, or of the processes that they started, has had resident; 0 where unknown."""
        return max((_peak(pid) for process in self._processes for pid in _family(process.pid)), default=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """End them: by TERM, as their users do; and what is left of them after a while."""
        for process in self._processes:
            process.terminate()
        end = time.monotonic() + self._contender.grace
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, end - time.monotonic()))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._output.close()


def _resolved(contender: Contender, command: tuple[str, ...]) -> list[str]:
    program, *arguments = command
    return [environment(contender.peer).program(program), *arguments]


def _environ(contender: Contender, url: str, slots: int = 0) -> dict[str, str]:
    """The environment without anybody's settings but the benchmark's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "REDIS_URL": url,
        "RQ_REDIS_URL": url,
        "BENCH_CONTENDER": contender.name,
        "BENCH_PEER": str(environment(contender.peer).folder),
        "BENCH_SLOTS": str(slots),
    }


def _family(pid: int) -> Iterator[int]:
    """A process and all that came of it."""
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return
    for child in children:
        yield from _family(int(child))


def _peak(pid: int) -> int:
    # Not getrusage: a child's ru_maxrss begins with its parent's, who is larger.
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return 1024 * int(found[1]) if found else 0
