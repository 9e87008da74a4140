"""`postroom demo`: the main job on real input, to be watched."""

import json
import os
import shlex
import signal
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import click

from postroom.commands.demo_report import Report
from postroom.commands.target import json_option, reach
from postroom.demo.crew import Crew
from postroom.demo.files import SourceFiles
from postroom.demo.ledger import Ledger
from postroom.demo.place import forget_past_runs, own_queue, own_server
from postroom.demo.run import follow, hand_over
from postroom.jobs.app import Postroom
from postroom.jobs.errors import ConfigError

INTERRUPTED = 130


@click.command()
@click.argument(
    "folder", metavar="[DIR]", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--url", metavar="URL", help="The server; default: POSTROOM_REDIS_URL, else one of the demo's own.")
@json_option
@click.pass_context
def demo(context: click.Context, folder: Path | None, url: str | None, as_json: bool) -> None:
    """Parse every Python file under DIR, a job each, in two worker processes.

    DIR is this Python's standard library where not given. Files that do not parse become dead letters. The jobs go to
    the server of --url or POSTROOM_REDIS_URL; where there is none, to an embedded server of the demo's own.

    Exit code 1 says that jobs were lost: deleted by somebody, or no job ended for 30 s after a worker died (for 90 s
    while all live).
    """
    files = SourceFiles(folder.absolute()) if folder else SourceFiles.of_the_standard_library()
    found = _some(files)
    # Not REDIS_URL: it may have been set for another program, whose server is no place for a demo.
    url = url or os.environ.get("POSTROOM_REDIS_URL")
    server = None if url else own_server()
    app = Postroom(server.ensure_running() if server else url)
    reach(app)
    if server:
        forget_past_runs(app.broker)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup is obeyed
            signal.signal(number, signal.default_int_handler)  # the same tidy end as that of Ctrl-C
    ledger, report = Ledger(app.broker, files.folder), Report(quiet=as_json)
    began = time.monotonic()
    try:
        _run(app, files.folder, found, ledger, report)
    except KeyboardInterrupt:
        report.interrupted(ledger.cancel())
        context.exit(INTERRUPTED)
    seconds = time.monotonic() - began
    report.result(ledger, seconds, files.unreadable)
    report.next(_in_a_shell(app), server.project if server else None)
    if as_json:
        numbers = {"jobs": ledger.jobs, "finished": ledger.finished, "dead": ledger.dead, "lost": ledger.lost}
        click.echo(json.dumps({**numbers, "seconds": round(seconds, 2)}))
    context.exit(1 if ledger.lost else 0)


def _some(files: SourceFiles) -> Iterator[str]:
    """The files, of which there is at least one.

    Raises:
        ConfigError: there is none.
    """
    found = iter(files)
    first = next(found, None)
    if first is None:
        reason = f" ({files.unreadable[0]})" if files.unreadable else ""
        raise ConfigError(f"no Python file (*.py) under {files.folder}{reason}: name a folder that has some")
    return chain([first], found)


def _in_a_shell(app: Postroom) -> str:
    """The server's URL as a word of the shell. One from the environment stays there, as it may have a password."""
    given = app.settings.redis_url
    from_environ = given == os.environ.get("POSTROOM_REDIS_URL") and given == app.broker.url
    return '"$POSTROOM_REDIS_URL"' if from_environ else shlex.quote(app.broker.safe_url)


def _run(app: Postroom, folder: Path, found: Iterable[str], ledger: Ledger, report: Report) -> None:
    queue = own_queue()
    with Crew(app.broker.url, queue) as crew:
        report.start(folder, app.broker.safe_url, queue, crew.pids)
        with report.progress() as show:
            hand_over(app, queue, found, ledger, show)
            follow(ledger, crew, app.settings.lease, show)
