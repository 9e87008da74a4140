"""The processes that are measured: producers and workers, started as a user would start them."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.contender import Contender

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent


def produce(contender: Contender, url: str, action: str, count: int) -> float:
    """Let the contender's producer do an action of `benchmarks.producer`; the seconds it took.

    Raises:
        RuntimeError: it failed.
    """
    command = [sys.executable, "-m", "benchmarks.producer", contender.app, action, str(count)]
    done = subprocess.run(command, cwd=ROOT, env=_environ(url), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{contender.name}: {action} failed:\n{done.stderr[-2000:]}")
    return float(done.stdout)


class WorkerProcess:
    """One running worker process of a contender."""

    def __init__(self, contender: Contender, url: str) -> None:
        program, *arguments = contender.worker
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [str(BIN / program), *arguments],
            cwd=ROOT,
            env=_environ(url),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
        )

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    @property
    def output(self) -> str:
        """The end of what it printed."""
        self._output.seek(0)
        return self._output.read().decode(errors="replace")[-2000:]

    def peak_memory(self) -> int:
        """The most bytes that it, or a process that it has started, has had resident; 0 where the system does not tell.

        Postroom's command is a pool: the jobs run in a process that it starts.
        """
        pid = self._process.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return 0
        return max(_peak(one) for one in (pid, *map(int, children)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """See that it is gone: its queue is empty, so that it ends by itself.

        Raises:
            RuntimeError: it did not.
        """
        try:
            if kind is None and self._process.wait(timeout=20):
                raise RuntimeError(f"the worker ended with code {self._process.returncode}:\n{self.output}")
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"the worker did not end by itself:\n{self.output}") from None
        finally:
            self._process.kill()
            self._process.wait()
            self._output.close()


def _environ(url: str) -> dict[str, str]:
    """The environment without anybody's settings but the server's URL."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("POSTROOM_", "RQ_"))}
    return {**kept, "REDIS_URL": url, "RQ_REDIS_URL": url}


def _peak(pid: int) -> int:
    # Not getrusage: a child's ru_maxrss begins with its parent's, who is larger.
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return 1024 * int(found[1]) if found else 0
