"""Crash points: the steps to Redis that jobs and their worker take, at each of which the worker is killed once.

A step is one sending on any connection of redis-py, the worker's or the handler's own. A trial is one run of a test in
which `Kit.drain` works in a forked process: that is killed by SIGKILL right before one step, or right after it, when
its replies are there and nobody has looked at them; what it held is recovered, and another process finishes.
"""

import os
import signal
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import redis.asyncio.connection
import redis.connection

from postroom.jobs.codecs import decode_call
from postroom.jobs.errors import DecodeError
from postroom.jobs.scripts import SCRIPTS

_NAMES = {script.sha.encode(): script.name for script in SCRIPTS.values()}
_HANDSHAKE = {"HELLO", "AUTH", "SELECT", "CLIENT", "READONLY", "PING"}
"""What redis-py says by itself."""
_SHOWN = 5
"""Commands of one sending that a step's name tells."""


@dataclass(frozen=True, slots=True)
class Point:
    """Where a worker is killed."""

    step: int
    """0 for the first."""
    when: str
    """`before` or `after`."""


@dataclass(slots=True)
class Trial:
    """One run of a test, undisturbed where there is no `point`."""

    point: Point | None = None
    undisturbed: "Trial | None" = None
    """The run to compare with."""
    steps: list[str] = field(default_factory=list)
    """The names of those that were taken, by all drains of the test, until the kill."""
    fired: bool = False
    jobs: list[list[str]] = field(default_factory=list)
    """What stood on the server after each drain."""

    def run(self, work: Callable[[], None], recover: Callable[[], None]) -> None:
        """Work in a process that is killed at the point, if that is here; then recover, and let another one finish.

        Raises:
            RuntimeError: the work raised, or did not end by itself; tells what and how.
        """
        left = None
        if self.point and not self.fired:
            left = Point(self.point.step - len(self.steps), self.point.when)
        killed, steps = _fork(work, left)
        self.steps += steps
        if killed:
            self.fired = True
            recover()
            _fork(work, None)

    def compare(self, jobs: Sequence[str]) -> None:
        """Raises:
        AssertionError: other jobs stand on the server than in the undisturbed run.
        """
        self.jobs.append(list(jobs))
        if self.undisturbed is None or len(self.undisturbed.jobs) < len(self.jobs):
            return
        usual, now = Counter(self.undisturbed.jobs[len(self.jobs) - 1]), Counter(jobs)
        if usual != now:
            told = [f"{(now - usual)[job]} more: {job}" for job in now - usual]
            told += [f"{(usual - now)[job]} fewer: {job}" for job in usual - now]
            raise AssertionError("not the same jobs as without the kill: " + "; ".join(told))

    def __str__(self) -> str:
        if self.point is None:
            return "undisturbed"
        names = self.undisturbed.steps if self.undisturbed else self.steps
        step = self.point.step
        return f"the worker was killed {self.point.when} {names[step]} (step {step + 1} of {len(names)})"


under_way: Trial | None = None
"""The trial that the plugin runs; None: drains work here."""


def begin(trial: Trial | None) -> None:
    """From now on drains are part of this trial."""
    globals()["under_way"] = trial


def told(fields: Mapping[bytes, bytes]) -> str:
    """A job in a few words that are the same in each run."""
    try:
        data = fields.get(b"data", b"")
        task = decode_call(data, fields.get(b"p:type", b"json").decode(), False, len(data))[0]
    except DecodeError:
        task = "(unreadable)"
    return f"{task} in {fields.get(b'origin', b'').decode()}, {fields.get(b'status', b'').decode()}"


def _fork(work: Callable[[], None], point: Point | None) -> tuple[bool, list[str]]:
    """Was it killed at the point, and the steps that it took."""
    with tempfile.TemporaryFile() as steps, tempfile.TemporaryFile() as error:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of other threads: the child needs none of them
            pid = os.fork()
        if pid == 0:
            _work(work, point, steps.fileno(), error.fileno())
        _, status = os.waitpid(pid, 0)
        steps.seek(0)
        error.seek(0)
        names, text = steps.read().decode().splitlines(), error.read().decode()
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        return False, names
    if code == -signal.SIGKILL and point is not None and len(names) > point.step:
        return True, names
    raise RuntimeError(f"the process that ran the jobs ended with {code}\n{text}")


def _work(work: Callable[[], None], point: Point | None, steps: int, error: int) -> NoReturn:
    """The child's life. Nothing of pytest's may run here."""
    code = 1
    try:
        _arm(_Steps(point, steps))
        work()
        code = 0
    except BaseException:
        os.write(error, traceback.format_exc().encode())
    os._exit(code)


class _Steps:
    """Writes down each step, and kills at the point."""

    def __init__(self, point: Point | None, file: int) -> None:
        self._point, self._file, self._count = point, file, 0
        self._awaited: dict[int, int] = {}
        """Replies that a connection has yet to read until the point is passed."""

    def sends(self, connection: object, command: Any) -> None:
        """It is about to send this."""
        names = names_of(command if isinstance(command, bytes) else b"".join(command))
        if not names or _HANDSHAKE.issuperset(names):
            return
        shown = "+".join(names[:_SHOWN]) + ("+…" if len(names) > _SHOWN else "")
        os.write(self._file, f"{shown}\n".encode())
        here = self._point is not None and self._count == self._point.step
        self._count += 1
        if here and self._point is not None:
            if self._point.when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            self._awaited[id(connection)] = len(names)

    def has_read(self, connection: object) -> None:
        """It has read a reply."""
        if self._awaited and id(connection) in self._awaited:
            self._awaited[id(connection)] -= 1
            if not self._awaited[id(connection)]:
                os.kill(os.getpid(), signal.SIGKILL)


def names_of(packed: bytes) -> list[str]:
    """The commands in a piece of the wire (https://redis.io/docs/latest/develop/reference/protocol-spec/): scripts by
    their names, others by theirs.
    """
    names, at = [], 0
    while packed[at : at + 1] == b"*":
        count, at = _number(packed, at)
        parts: list[bytes] = []
        for _ in range(count):
            size, at = _number(packed, at)
            parts.append(packed[at : at + size] if len(parts) < 2 else b"")
            at += size + 2
        name = parts[0].decode(errors="replace").upper()
        names.append(_NAMES.get(parts[1], name) if name == "EVALSHA" else name)
    return names


def _number(packed: bytes, at: int) -> tuple[int, int]:
    end = packed.index(b"\r\n", at)
    return int(packed[at + 1 : end]), end + 2


def _arm(steps: _Steps) -> None:
    """Let every connection of this process go through `steps`."""
    kind: Any = redis.connection.AbstractConnection
    send, read = kind.send_packed_command, kind.read_response

    def sent(self: Any, command: Any, *more: Any, **named: Any) -> Any:
        steps.sends(self, command)
        return send(self, command, *more, **named)

    def have_read(self: Any, *more: Any, **named: Any) -> Any:
        try:
            return read(self, *more, **named)
        finally:
            steps.has_read(self)

    kind.send_packed_command, kind.read_response = sent, have_read
    _arm_async(steps)


def _arm_async(steps: _Steps) -> None:
    kind: Any = redis.asyncio.connection.AbstractConnection
    send, read = kind.send_packed_command, kind.read_response

    async def sent(self: Any, command: Any, *more: Any, **named: Any) -> Any:
        steps.sends(self, command)
        return await send(self, command, *more, **named)

    async def have_read(self: Any, *more: Any, **named: Any) -> Any:
        try:
            return await read(self, *more, **named)
        finally:
            steps.has_read(self)

    kind.send_packed_command, kind.read_response = sent, have_read
