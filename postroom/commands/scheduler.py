"""`postroom scheduler`: only the duties, for a deployment that wants them in a process of their own."""

import signal
import threading

import click

from postroom.commands.target import load_app, log_to_terminal, reach, verbose_option
from postroom.duties import duties
from postroom.scheduler import Rounds


@click.command()
@click.argument("target", metavar="MODULE:app")
@verbose_option
def scheduler(target: str, verbose: bool) -> None:
    """Tick schedules, promote due jobs, recover lost workers, forget what is past its time. Any number may run."""
    log_to_terminal(verbose)
    app = load_app(target)
    asked = duties(app)
    reach(app)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    rounds = Rounds(app, asked)
    stopped.wait()
    rounds.stop()
