"""A failpoint: at the first sending of one script or command by one role, its process is killed, stopped or cut off.

The program under test arms it. `before`: what precedes the command in its round trip was sent and answered, the command
was not sent. `after`: it has run, and its reply is not known to the caller.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import redis

from postroom.jobs.broker import Broker, Exchange, RoundTrip, _adrive, _drive
from postroom.jobs.scripts import SCRIPTS
from postroom.scheduler.retain import Retain
from postroom.scheduler.tell import Tell
from postroom.workers.process import WorkerProcess
from tests.fault.history import History

POINT = "FAULT_POINT"
"""The variable that names the failpoint; RECORD: none, but what is sent is written down."""
RECORD = "record"
WHENS = ("before", "after")
ACTIONS = ("kill", "stop", "raise")
FIRED, SENT = "fired", "sent"
"""Files in the history's folder: where the failpoint struck; what was sent, `<role> <name>` in a line."""
_ROLES = {
    "postroom.__main__": "pool",
    "postroom.worker_process": "worker",
    "tests.fault.scenario": "producer",
    "tests.fault.producer": "producer",
}
_ALL_ROLES = {*_ROLES.values(), "aproducer", "duty"}
_DUTIES = {f"postroom-{duty}" for duty in ("promote", "offer", "cron", "recover", "retain", "tell")}
_NAMES = {script.sha: script.name for script in SCRIPTS.values()}


@dataclass(frozen=True, slots=True)
class Failpoint:
    """Who is struck, at what it sends, when and how."""

    role: str
    """`producer`, `aproducer` (its event loop), `worker`, `pool` (main, keeper) or `duty` (its other threads)."""
    name: str
    """A script's name, or a command in capitals."""
    when: str
    action: str

    @classmethod
    def parse(cls, text: str) -> "Failpoint":
        """Read `worker:claim:after:kill`.

        Raises:
            ValueError: there is no such failpoint.
        """
        try:
            found = cls(*text.split(":"))
        except TypeError:
            raise ValueError(f"{text!r} is no failpoint: write ROLE:NAME:WHEN:ACTION") from None
        if found.role not in _ALL_ROLES or found.when not in WHENS or found.action not in ACTIONS:
            raise ValueError(f"{text!r} is no failpoint: {', '.join(sorted(_ALL_ROLES))}: …: {WHENS}: {ACTIONS}")
        if found.name not in SCRIPTS and not found.name.isupper():
            raise ValueError(f"{text!r} is no failpoint: there is no script {found.name!r}")
        return found

    def __str__(self) -> str:
        return f"{self.role}:{self.name}:{self.when}:{self.action}"


def arm(history: History) -> None:
    """Arm the failpoint of the environment in this process, where it is one that can be struck."""
    text = os.environ.get(POINT)
    main = getattr(sys.modules["__main__"], "__spec__", None)
    role = _ROLES.get(main.name) if main else None
    if not text or role is None:
        return
    Retain.every = Tell.every = 0.5
    _tell_of_kills(history)
    if text == RECORD:
        _wrap(role, _Record(history.folder))
    else:
        _wrap(role, _Strike(Failpoint.parse(text), history))


def name_of(command: Sequence[Any]) -> str:
    """What a command is called here: its script's name, or its own."""
    return _NAMES.get(command[1], "EVALSHA") if command[0] == "EVALSHA" else str(command[0])


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and theirs."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in path.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue  # the thread has ended meanwhile
        for child in children:
            found += [child, *descendants(child)]
    return found


Commands = Sequence[Sequence[Any]]


class Step(Protocol):
    """What a role's sending goes through: yields what is sent in its place, is given replies, returns all of them."""

    def __call__(self, role: str, commands: Commands) -> Exchange: ...
    def meets(self, role: str, commands: Commands) -> bool: ...


class _Record:
    """Writes down what is sent."""

    def __init__(self, folder: Path) -> None:
        self._known: set[str] = set()
        self._file = os.open(folder / SENT, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def meets(self, role: str, commands: Commands) -> bool:
        """Every sending."""
        return True

    def __call__(self, role: str, commands: Commands) -> Exchange:
        for line in {f"{role} {name_of(command)}\n" for command in commands} - self._known:
            self._known.add(line)
            os.write(self._file, line.encode())
        return (yield commands)


class _Strike:
    """Sends as ever until the failpoint is met, and strikes once in a case, whichever process meets it first."""

    def __init__(self, point: Failpoint, history: History) -> None:
        self._point, self._history = point, history

    def meets(self, role: str, commands: Commands) -> bool:
        """Whether the failpoint may be here."""
        return role == self._point.role and self._point.name in map(name_of, commands)

    def __call__(self, role: str, commands: Commands) -> Exchange:
        if not self.meets(role, commands) or not self._first():
            return (yield commands)
        point, names = self._point, [name_of(command) for command in commands]
        end = names.index(point.name) + (point.when == "after")
        replies = (yield commands[:end]) if end else []
        self._strike(point.action)
        return replies + ((yield commands[end:]) if commands[end:] else [])

    def _first(self) -> bool:
        try:
            file = os.open(self._history.folder / FIRED, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return False
        os.write(file, str(os.getpid()).encode())
        os.close(file)
        return True

    def _strike(self, action: str) -> None:
        """A raise is no fault that explains a second run: the broker's own repetition must hide it."""
        if action == "raise":
            raise redis.ConnectionError("as told by the failpoint")
        number = signal.SIGKILL if action == "kill" else signal.SIGSTOP
        if action == "kill":
            for child in descendants(os.getpid()):  # what it would begin after its line would be unexplained
                os.kill(child, signal.SIGSTOP)
        self._history.faults(number.name, [os.getpid(), *descendants(os.getpid())], sync=False)
        # To this thread: any may take what is sent to the process, and until that one runs, this one would go on.
        signal.pthread_kill(threading.get_ident(), number)


def _tell_of_kills(history: History) -> None:
    """A pool that kills a worker process past its hard deadline says so: its neighbours will run again."""
    kill = WorkerProcess.kill

    def told(process: WorkerProcess) -> None:
        for job in process.killed_for:
            history.overdue(job.id, job.token)
        history.faults("overdue", [process.pid, *descendants(process.pid)], sync=False)
        kill(process)

    WorkerProcess.kill = told  # type: ignore[method-assign, assignment]


class _Landed(list[Any]):
    """Replies that are there already, in the place of the connection on which they would come."""


def _wrap(role: str, step: Step) -> None:
    """Let every sending go through `step`. What Broker does not send (waiters, control) is no transition."""
    send, asend, land, leave = Broker._send, Broker._asend, Broker._land, RoundTrip.send

    def sent(broker: Broker, commands: Commands) -> list[Any]:
        return _drive(step(_speaker(role), commands), lambda some: send(broker, some))

    async def asent(broker: Broker, commands: Commands) -> list[Any]:
        return await _adrive(step(f"a{role}", commands), lambda some: asend(broker, some))

    def left(trip: RoundTrip) -> None:
        commands = [call.command for call in trip._calls]
        if not step.meets(_speaker(role), commands):
            leave(trip)
            return
        trip._began = time.monotonic()
        try:
            trip._connection = _Landed(sent(trip._broker, commands))
        except (redis.RedisError, OSError) as error:
            trip._error = error

    def landed(broker: Broker, connection: Any, count: int) -> list[Any]:
        return connection if isinstance(connection, _Landed) else land(broker, connection, count)

    Broker._send, Broker._asend, Broker._land = sent, asent, landed  # type: ignore[method-assign, assignment]
    RoundTrip.send = left  # type: ignore[method-assign, assignment]


def _speaker(role: str) -> str:
    return "duty" if threading.current_thread().name in _DUTIES else role
