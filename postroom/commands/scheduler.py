"""`postroom scheduler`: only the duties, for a deployment that wants them in a process of their own."""

import signal
import threading

import click

from postroom.commands.metrics_options import metrics_options, serving, with_metrics
from postroom.commands.target import load_app, log_json_option, log_to_terminal, reach, verbose_option
from postroom.duties import duties
from postroom.scheduler import Rounds


@click.command()
@click.argument("target", metavar="MODULE:app")
@metrics_options
@log_json_option
@verbose_option
def scheduler(target: str, metrics_port: int | None, metrics_host: str | None, log_json: bool, verbose: bool) -> None:
    """Tick schedules, promote due jobs, recover lost workers, forget what is past its time. Any number may run."""
    log_to_terminal(verbose, log_json)
    app = load_app(target)
    app.settings = with_metrics(app.settings, metrics_port, metrics_host)
    asked = duties(app)
    reach(app)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with serving(app, sorted({task.queue for task in app.tasks.values()}), asked):
        rounds = Rounds(app, asked)
        stopped.wait()
        rounds.stop()
