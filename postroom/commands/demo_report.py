"""What `postroom demo` shows: the progress on stderr, where that is a terminal; all else on stdout."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from postroom.demo.ledger import Ledger
from postroom.demo.run import Show

LARGEST = 12


class Report:
    """Tells a person what the demo does.

    Args:
        quiet: nothing but the progress; stdout is for JSON.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._out = Console(quiet=quiet, highlight=False, markup=False, emoji=False)
        self._err = Console(stderr=True, highlight=False, markup=False, emoji=False)

    def start(self, folder: Path, url: str, queue: str, pids: Sequence[int]) -> None:
        """What is about to happen, and where."""
        self._line(f"One job for each Python file under {folder}", style="bold")
        self._line(f"  server   {url}")
        self._line(f"  queue    {queue}")
        self._line(f"  workers  processes {' and '.join(map(str, pids))}: kill one, and no job is lost")

    @contextmanager
    def progress(self) -> Iterator[Show]:
        """A live bar; the run is told how to move it."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:,} of {task.fields[jobs]:,} files"),
            TextColumn("{task.fields[dead]}", style="red"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._err, disable=not self._err.is_terminal) as bar:
            task = bar.add_task("Parsing", total=None, jobs=0, dead="")

            def show(ledger: Ledger) -> None:
                total = ledger.jobs if ledger.complete else None
                bar.update(
                    task,
                    completed=ledger.ended,
                    total=total,
                    jobs=ledger.jobs,
                    dead=_number(ledger.dead, "dead letter"),
                )

            def say(text: str) -> None:
                for line in text.splitlines():
                    self._err.print(self._safe(line), style="yellow", soft_wrap=True)

            yield Show(show, say)

    def result(self, ledger: Ledger, seconds: float, unreadable: Sequence[OSError]) -> None:
        """The numbers, the largest packages, the dead letters."""
        self._line()
        self._line(
            f"{_number(ledger.jobs, 'job')} in {seconds:.1f} s: {ledger.finished:,} finished, "
            f"{_number(ledger.dead, 'dead letter')}, {ledger.lost:,} lost",
            style="bold red" if ledger.lost else "bold green",
        )
        for error in unreadable:
            self._line(f"Left out, as it could not be read: {error.filename} ({error.strerror})", style="yellow")
        if ledger.packages:
            self._line()
            self._out.print(self._packages(ledger))
        if ledger.dead:
            self._line()
            self._out.print(self._letters(ledger))

    def interrupted(self, canceled: int) -> None:
        """It was ended before its time."""
        self._err.print(f"Interrupted: {_number(canceled, 'job')} had not ended, now canceled.", style="yellow")

    def next(self, server: str, project: Path | None) -> None:
        """What to type now.

        Args:
            server: its URL as a word of the shell.
            project: the folder of the demo's own server; None where the server is the user's.
        """
        self._line()
        self._line("What to type next", style="bold")
        self._hint(f"{_command('postroom')} demo DIR", "your own code instead")
        self._hint(f"{_command('postroom')} info --url {server}", "the jobs of each queue by state")
        self._hint(f"{_command('rq')} info --url {server}", "what RQ's own tools see")
        if project:
            stop = f"{_command('postroom')} server stop --project {shlex.quote(str(project))}"
            self._hint(stop, "end the demo's server, which runs on so that you can look around")

    def _packages(self, ledger: Ledger) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
        table.add_column("Largest packages", overflow="fold")
        for name in ("files", "lines", "functions", "classes", "imports"):
            table.add_column(name, justify="right", no_wrap=True)
        ranked = sorted(ledger.packages.items(), key=lambda item: item[1].lines, reverse=True)
        for name, sums in ranked[:LARGEST]:
            table.add_row(self._safe(name or "(top level)"), *(f"{number:,}" for number in astuple(sums)))
        table.add_row(
            f"all {_number(len(ranked), 'package')}", *(f"{number:,}" for number in astuple(ledger.total)), style="bold"
        )
        return table

    def _letters(self, ledger: Ledger) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
        letters = sorted(ledger.letters, key=lambda letter: letter.file)
        rows = [(self._safe(letter.file), self._safe(letter.reason)) for letter in letters]
        heading = Text("Dead letters")
        width = min(max(text.cell_len for text in (heading, *(file for file, _ in rows))), self._out.width // 2)
        table.add_column(heading, overflow="fold", width=width)
        table.add_column("reason", overflow="fold", max_width=max(20, self._out.width - width - 3))
        for row in rows:
            table.add_row(*row)
        if ledger.dead > len(ledger.letters):
            table.add_row(f"and {ledger.dead - len(ledger.letters):,} more", "")
        return table

    def _hint(self, command: str, purpose: str) -> None:
        """A command, never broken into lines, so that it can be copied, under what it is for."""
        self._line(f"  # {purpose}", style="dim")
        self._line(f"  {command}")

    def _line(self, text: str = "", style: str | None = None) -> None:
        self._out.print(self._safe(text), style=style, soft_wrap=True)

    def _safe(self, text: str) -> Text:
        """Text that any terminal can show: files may be called, and errors may say, what they like."""
        shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
        encoding = self._out.encoding
        return Text(shown.encode(encoding, "backslashreplace").decode(encoding))


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _command(name: str) -> str:
    """How to call a program that was installed with this Python."""
    program = Path(sys.executable).parent / name
    on_path = shutil.which(name)
    if not program.exists() or (on_path and os.path.samefile(on_path, program)):
        return name
    relative = os.path.relpath(program)
    inside = os.sep in relative and not relative.startswith(os.pardir)
    return shlex.quote(relative if inside else str(program))
