"""A shop with workers of ours and of RQ's, and a program beside it that knows only RQ."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from postroom import Postroom
from postroom.scheduler.recover import Recover
from tests.integration.interop import rq_side
from tests.servers import Server

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
PATIENCE = 20.0
"""Seconds that anything here may take."""
LEASE = 0.6
"""Seconds: of a worker that is about to die, so that its jobs are back soon."""


def until(met: Callable[[], Any], what: str) -> Any:
    """Wait until `met()`, and return it; fail with `what` when it takes too long."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if value := met():
            return value
        time.sleep(0.02)
    pytest.fail(f"not within {PATIENCE} s: {what}")


class Shop:
    """A folder with the module `shop`, and the workers that run it."""

    def __init__(self, folder: Path, app: Postroom, client: redis.Redis) -> None:
        self.folder, self.app, self.client = folder, app, client
        shutil.copy(HERE / "shop.py", folder)

    def notes(self) -> list[str]:
        """What handlers and callbacks noted, in order."""
        path = self.folder / "notes"
        return path.read_text().splitlines() if path.exists() else []

    def work(self, *queues: str, killed_in: str | None = None, threads: int = 10) -> str:
        """A worker of ours runs until `queues` are empty; its log.

        Args:
            killed_in: a seam. A first worker is killed there, its jobs are recovered, and a second one goes on.
            threads: as many.
        """
        if killed_in is not None:
            self.die(killed_in, *queues)
        with self.worker(*queues, "--burst", "-c", str(threads)) as burst:
            log = last_words(burst)
        assert burst.returncode == 0, log
        return log

    def die(self, seam: str, *queues: str) -> None:
        """A worker of ours is killed at `seam`, and its jobs are recovered."""
        fuse = self.folder / f"die-in-{seam}"
        fuse.touch()
        with self.worker(*queues, "--burst", lease=LEASE) as dying:
            log = last_words(dying)
        assert (dying.returncode, fuse.exists()) == (-signal.SIGKILL, False), log
        self.recover()

    @contextmanager
    def working(self, *args: str) -> Iterator[None]:
        """A worker of ours runs until the end of the block."""
        with self.worker(*args) as process:
            try:
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                log = last_words(process)
        assert process.returncode == 0, log

    def worker(self, *args: str, lease: float = 12) -> subprocess.Popen[str]:
        """A process of ours: `postroom worker shop:app …`."""
        return self._start("postroom", "worker", "shop:app", *args, lease=lease)

    def recover(self) -> None:
        """A scheduler finds the dead worker, as soon as its lease has ended, and puts back what it held."""

        def nothing_held() -> bool:
            Recover().do(self.app)
            return not self.client.keys("postroom:held:*")

        until(nothing_held, "the dead worker's jobs are put back")

    def make_due(self, job_id: str, seconds: float) -> None:
        """I expect the job to be due in `seconds`; let that time have passed."""
        due = self.client.zscore("rq:scheduled:default", job_id)
        assert due is not None
        assert abs(due - time.time() - seconds) < PATIENCE
        self.client.zadd("rq:scheduled:default", {job_id: 1})

    def rq(self, command: str, *args: str) -> str:
        """RQ's real command line, `rq …`, run in the shop's folder; what it printed."""
        with self._start("rq", command, "--url", self.app.broker.url, *args) as process:
            printed = last_words(process)
        assert process.returncode == 0, printed
        return printed

    def _start(self, program: str, *args: str, lease: float = 12) -> subprocess.Popen[str]:
        env = {**os.environ, "POSTROOM_REDIS_URL": self.app.broker.url, "POSTROOM_LEASE": str(lease)}
        return subprocess.Popen(
            [BIN / program, *args],
            cwd=self.folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def last_words(process: subprocess.Popen[str]) -> str:
    """What a process that is about to end has printed. One that does not end is killed."""
    try:
        printed, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return printed


class RqProcess:
    """The process of rq_side.py: `rq(rq_side.enqueue, "shop.add", 2, 3)` runs that function there."""

    def __init__(self, url: str) -> None:
        # -P: the folder of the script, where `shop` lies, is not on its path.
        command = [sys.executable, "-P", str(HERE / "rq_side.py"), url]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a function of rq_side in its process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([function.__name__, args, kwargs]), file=self._process.stdin, flush=True)
        reply = json.loads(self._process.stdout.readline())
        assert "error" not in reply, reply["error"]
        return reply["value"]

    def ended(self, job_id: str) -> dict[str, Any]:
        """The job as RQ shows it, once it has ended."""

        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self(rq_side.look, job_id)
            return found if found["status"] in {"finished", "failed"} else None

        found: dict[str, Any] = until(look, f"job {job_id} has ended")
        return found

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=PATIENCE)


@pytest.fixture(scope="session")
def rq_process(server: Server) -> Iterator[RqProcess]:
    """One for all tests: it keeps nothing between two calls."""
    process = RqProcess(server.url)
    yield process
    process.close()


@pytest.fixture
def rq(rq_process: RqProcess, client: redis.Redis) -> RqProcess:
    """RQ's side, with an empty server."""
    return rq_process


@pytest.fixture
def app(server: Server, client: redis.Redis) -> Iterator[Postroom]:
    """A producer, reader and scheduler of ours, on an empty server."""
    made = Postroom(server.url, lease=LEASE)
    yield made
    made.broker.close()


@pytest.fixture
def shop(tmp_path: Path, app: Postroom, client: redis.Redis) -> Shop:
    """The shop, on an empty server."""
    return Shop(tmp_path, app, client)


@pytest.fixture
def nothing_left(client: redis.Redis) -> Iterator[None]:
    """I expect, after the test, that no job is queued, running, held or waiting."""
    yield
    places = ("rq:queue:*", "rq:wip:*", "rq:scheduled:*", "rq:deferred:*", "rq:ready:*", "postroom:held:*")
    assert [key for place in places for key in client.keys(place)] == []
