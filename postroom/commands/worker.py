"""`postroom worker`: run jobs."""

import re
import sys
from collections.abc import Sequence

import click

from postroom.commands.metrics_options import metrics_options, serving, with_metrics
from postroom.commands.target import load_app, log_json_option, log_to_terminal, reach, verbose_option
from postroom.duties import duties
from postroom.jobs.app import Postroom
from postroom.jobs.naming import import_module
from postroom.jobs.observers import FLUSH
from postroom.jobs.settings import Settings
from postroom.scheduler import Duty, Rounds, Tell
from postroom.workers.pool import Pool
from postroom.workers.worker import Orders

_UNITS = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


class _Bytes(click.ParamType[int, str]):
    """`300M`, `2G`, or a plain number of bytes."""

    name = "SIZE"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = re.fullmatch(r"(\d+)([kmg]?)b?", str(value).lower())
        if match is None:
            self.fail(f"{value!r} is no size: write e.g. 300M or 2G", param, ctx)
        return int(match[1]) * _UNITS[match[2]]


@click.command()
@click.argument("target", metavar="MODULE:app", required=False)
@click.argument("queues", nargs=-1, metavar="[QUEUE[:WEIGHT]]...")
@click.option(
    "-p", "--processes", type=click.IntRange(1, 1_000), default=1, show_default=True, help="Worker processes."
)
@click.option("-c", "--concurrency", type=click.IntRange(1, 10_000), help="Threads of each (default 10).")
@click.option("--burst", is_flag=True, help="Stop when the queues are empty.")
@click.option("--max-jobs", type=click.IntRange(0), default=0, help="Replace a process after so many jobs.")
@click.option("--max-memory", type=_Bytes(), default="0", help="Replace a process that grows above this, e.g. 300M.")
@metrics_options
@click.option("--check", is_flag=True, help="Ask the worker on --metrics-port whether it lives: exit code 0 or 1.")
@log_json_option
@verbose_option
def worker(
    target: str | None,
    queues: tuple[str, ...],
    processes: int,
    concurrency: int | None,
    burst: bool,
    max_jobs: int,
    max_memory: int,
    metrics_port: int | None,
    metrics_host: str | None,
    check: bool,
    log_json: bool,
    verbose: bool,
) -> None:
    """Run the jobs of QUEUEs, or of every queue that the app's tasks name.

    Queues are asked in strict order, or by weight: high:5 default:3 low:1. The scheduler's duties are done here, too,
    so that nothing else needs to run. INT or TERM lets running jobs end; a second one gives them back.
    """
    if check:
        import_module("postroom.health").check(with_metrics(Settings.load(), metrics_port, metrics_host))
        return
    if target is None:
        raise click.UsageError("Missing argument 'MODULE:app'.")
    log_to_terminal(verbose, log_json)
    app = load_app(target)
    app.settings = with_metrics(app.settings, metrics_port, metrics_host)
    asked = duties(app)
    reach(app)
    orders = Orders(
        target=target,
        queues=queues,
        concurrency=concurrency or app.settings.concurrency,
        coroutines=app.settings.coroutines,
        burst=burst,
        max_jobs=max_jobs,
        max_memory=max_memory,
        verbose=verbose,
        counts=bool(app.settings.metrics_port),
        log_json=log_json,
    )
    orders.check()
    _run(app, Pool(app, [sys.executable, "-m", "postroom.worker_process"], orders, processes), orders, asked)


def _run(app: Postroom, pool: Pool, orders: Orders, asked: Sequence[Duty]) -> None:
    with serving(app, orders.known_queues(app), asked, pool.record):
        pool.install_signals()
        rounds = Rounds(app, asked)
        try:
            pool.run()
        finally:
            rounds.stop(last=(Tell(in_turn=False),) if orders.burst and app.hooks else ())
            app.observers.flush(FLUSH)
