"""A program of `postroom dev`: a process of its own, whose lines are told with its name."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from postroom.workers.lifeline import how_it_ended, spawn

WIDTH = 9
"""Columns of a name."""
SOON, LATE = 0.5, 8.0
"""Seconds until a program that ended is started again: the first time, and at most."""
WELL = 10.0
"""Seconds after which it has started well: the next time counts as a first one."""
LAST_LINES = 0.5
"""Seconds that the lines of a process may come after its end: what a handler left behind may hold them open."""
UNUSABLE = 2
"""Exit code of a program whose app cannot be loaded: the same code would fail again."""

Tell = Callable[[str, str, str], None]
"""Name, colour, line."""


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """A process of a program."""

    process: "subprocess.Popen[bytes]"
    lifeline: int
    since: float


class Program:
    """One row of the terminal.

    Args:
        verb: of `postroom`, with its arguments.
        environ: of its processes.
        tell: shows a line.
        ended: is called in another thread when a process has ended.
    """

    def __init__(
        self,
        name: str,
        colour: str,
        verb: Sequence[str],
        environ: Mapping[str, str],
        tell: Tell,
        ended: Callable[[], None],
    ) -> None:
        self.name, self._colour, self._verb, self._environ = name, colour, verb, environ
        self._tell, self._ended = tell, ended
        self._now: Running | None = None
        self._before: list[Running] = []
        """With code from before a change; they let their jobs end."""
        self._pause = SOON
        self.due: float | None = None
        """When it is to be started again, by time.monotonic(); None: it runs, or waits for a change."""

    @property
    def processes(self) -> list[int]:
        """Those that have not ended, by id."""
        return [one.process.pid for one in (self._now, *self._before) if one and one.process.poll() is None]

    @property
    def waits(self) -> bool:
        """Its app cannot be loaded: only other code would help."""
        return self._now is None and self.due is None

    def start(self) -> None:
        """Start it. From the thread that lives longest: the process ends when this thread does."""
        self.due = None
        process, lifeline = spawn(
            [sys.executable, "-m", "postroom.dev_process", *self._verb],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environ,
        )
        self._now = Running(process, lifeline, time.monotonic())
        threading.Thread(target=self._follow, args=(self._now,), name=f"dev-{self.name}", daemon=True).start()

    def reload(self) -> None:
        """Start it with the code as it is now. What runs ends its jobs meanwhile, as at a deploy."""
        if self._now is not None:
            self._send(self._now, signal.SIGTERM)
            self._before.append(self._now)
        self._pause = SOON
        self.start()

    def stop(self, number: signal.Signals) -> None:
        """Signal all its processes; none is started again."""
        self.due = None
        for one in (self._now, *self._before):
            if one is not None:
                self._send(one, number)

    def kill(self) -> None:
        """End all at once, with what they have started."""
        for one in (self._now, *self._before):
            if one is not None and one.process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(one.process.pid, signal.SIGKILL)

    def look(self, *, stopping: bool) -> None:
        """See whether a process has ended, and when to start the next one."""
        for one in [one for one in self._before if one.process.poll() is not None]:
            os.close(one.lifeline)
            self._before.remove(one)
        now = self._now
        if now is None or (code := now.process.poll()) is None:
            return
        os.close(now.lifeline)
        self._now = None
        if stopping:
            return
        if code == UNUSABLE:
            self.say("waits for a change of the code")
            return
        if time.monotonic() - now.since > WELL:
            self._pause = SOON
        self.due = time.monotonic() + self._pause
        self.say(f"ended with {how_it_ended(code)}; starts again in {self._pause:g} s")
        self._pause = min(2 * self._pause, LATE)

    def say(self, text: str) -> None:
        """Show a line of its own."""
        self._tell(self.name, self._colour, text)

    def _follow(self, one: Running) -> None:
        reader = threading.Thread(target=self._read, args=(one,), name=f"dev-{self.name}-lines", daemon=True)
        reader.start()
        one.process.wait()
        reader.join(LAST_LINES)
        self._ended()

    def _read(self, one: Running) -> None:
        for line in one.process.stdout or ():
            self._tell(self.name, self._colour, line.decode(errors="replace").rstrip("\r\n"))

    def _send(self, one: Running, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            one.process.send_signal(number)
