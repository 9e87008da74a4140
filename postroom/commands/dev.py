"""`postroom dev`: everything that a project needs while it is written, in one terminal."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from postroom.dev.program import Program
from postroom.dev.terminal import Terminal
from postroom.embedded import EmbeddedServer, project_folder
from postroom.jobs.settings import Settings

PROGRAMS = (("worker", "cyan"), ("scheduler", "magenta"))
"""Verbs, each with the colour of its lines. What the project gets besides is a row here."""


@click.command()
@click.argument("target", metavar="MODULE:app")
@click.argument("queues", nargs=-1, metavar="[QUEUE[:WEIGHT]]...")
@click.option("-p", "--processes", type=click.IntRange(1, 100), default=1, show_default=True, help="Worker processes.")
@click.option("-c", "--concurrency", type=click.IntRange(1, 10_000), help="Threads of each (default 10).")
@click.option(
    "--watch",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Reload when source files change in this folder; may be repeated. Default: the current one.",
)
def dev(
    target: str, queues: tuple[str, ...], processes: int, concurrency: int | None, folders: tuple[Path, ...]
) -> None:
    """Run server, worker and scheduler in one terminal, and start them anew when code changes.

    The embedded server is used where no other is set (POSTROOM_REDIS_URL, REDIS_URL, redis_url); if it did not run
    before, it ends with this command, and its data stay. Ctrl-C gives running jobs back and ends all.
    """
    more = ["-p", str(processes), *(["-c", str(concurrency)] if concurrency else [])]
    verbs = {"worker": ["worker", target, *queues, *more], "scheduler": ["scheduler", target]}
    terminal = Terminal([folder.resolve() for folder in folders or (Path.cwd(),)])
    with _server(terminal) as url:
        environ = {**os.environ, "PYTHONUNBUFFERED": "1", **({"POSTROOM_REDIS_URL": url} if url else {})}
        for name, colour in PROGRAMS:
            terminal.programs.append(Program(name, colour, verbs[name], environ, terminal.tell, terminal.ended))
        code = terminal.run()
    sys.exit(code)


@contextmanager
def _server(terminal: Terminal) -> Iterator[str]:
    """The embedded server where no other is set; '' where one is."""
    if Settings.load().redis_url:
        yield ""
        return
    server = EmbeddedServer(project_folder())
    ran = server.status().running
    url = server.ensure_running()
    terminal.tell("server", "green", f"{server.status().server} for {server.project}, {url}")
    try:
        yield url
    finally:
        if not ran:
            server.stop()
