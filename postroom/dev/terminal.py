"""`postroom dev`: programs in one terminal, until Ctrl-C."""

import queue
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import click

from postroom.dev.changes import INSTALL, Watch, can_watch
from postroom.dev.program import WIDTH, Program

Event = tuple[str, list[str]]
"""`ended`, `stop`, or `changed` with the files."""
OURS = "white"
PATIENCE = 10.0
"""Seconds after the last Ctrl-C in which programs must have given their jobs back."""


class Terminal:
    """Runs programs until it is told to stop.

    Args:
        folders: whose source files are watched.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.programs: list[Program] = []
        self._folders = folders
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._stops = 0

    def tell(self, name: str, colour: str, line: str) -> None:
        """Show a line of a program."""
        with self._lock:
            click.echo(f"{click.style(f'{name:<{WIDTH}}│', fg=colour)} {line}")

    def say(self, line: str) -> None:
        """Show a line of our own."""
        self.tell("dev", OURS, line)

    def ended(self) -> None:
        """A process has ended."""
        self._events.put(("ended", []))

    def run(self) -> int:
        """Start all, and look after them until the end; the exit code."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._events.put(("stop", [])))
        watch = Watch(self._folders, lambda paths: self._events.put(("changed", paths))) if can_watch() else None
        self.say(f"watches {', '.join(map(str, self._folders))}" if watch else INSTALL)
        try:
            for program in self.programs:
                program.start()
            hopeless = self._look_after(watching=watch is not None)
            self._end()
        finally:
            for program in self.programs:
                program.kill()
            if watch is not None:
                watch.stop()
        return 2 if hopeless else 0

    def _look_after(self, *, watching: bool) -> bool:
        """Until it is told to stop; True where nothing can run any more."""
        while True:
            what, paths = self._next()
            if what == "stop":
                return False
            if what == "changed":
                self.say(f"{_named(paths)} changed")
                for program in self.programs:
                    program.reload()
            for program in self.programs:
                program.look(stopping=False)
                if program.due is not None and program.due <= time.monotonic():
                    program.start()
            if not watching and all(program.waits for program in self.programs):
                return True

    def _end(self) -> None:
        """Let all give back what they have, and end. Another Ctrl-C does not wait for that."""
        for number in (signal.SIGTERM, signal.SIGINT):  # the second one gives jobs back
            for program in self.programs:
                program.stop(number)
        until = time.monotonic() + PATIENCE
        while any(program.processes for program in self.programs) and time.monotonic() < until:
            what, _ = self._next(0.2)
            if what == "stop":
                return
        for program in self.programs:
            program.look(stopping=True)

    def _next(self, most: float = 60.0) -> Event:
        due = [program.due for program in self.programs if program.due is not None]
        wait = min([most, *(at - time.monotonic() for at in due)])
        try:
            return self._events.get(timeout=max(0.0, wait))
        except queue.Empty:
            return "", []


def _named(paths: Sequence[str]) -> str:
    here = Path.cwd()
    first = Path(paths[0])
    name = str(first.relative_to(here)) if first.is_relative_to(here) else str(first)
    return name if len(paths) == 1 else f"{name} and {len(paths) - 1} more"
