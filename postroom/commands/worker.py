"""`postroom worker`: run jobs."""

import re
import sys

import click

from postroom.commands.target import load_app, log_to_terminal, reach, verbose_option
from postroom.duties import duties
from postroom.jobs.observers import FLUSH
from postroom.scheduler import Rounds
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
@click.argument("target", metavar="MODULE:app")
@click.argument("queues", nargs=-1, metavar="[QUEUE[:WEIGHT]]...")
@click.option(
    "-p", "--processes", type=click.IntRange(1, 1_000), default=1, show_default=True, help="Worker processes."
)
@click.option("-c", "--concurrency", type=click.IntRange(1, 10_000), help="Threads of each (default 10).")
@click.option("--burst", is_flag=True, help="Stop when the queues are empty.")
@click.option("--max-jobs", type=click.IntRange(0), default=0, help="Replace a process after so many jobs.")
@click.option("--max-memory", type=_Bytes(), default="0", help="Replace a process that grows above this, e.g. 300M.")
@verbose_option
def worker(
    target: str,
    queues: tuple[str, ...],
    processes: int,
    concurrency: int | None,
    burst: bool,
    max_jobs: int,
    max_memory: int,
    verbose: bool,
) -> None:
    """Run the jobs of QUEUEs, or of every queue that the app's tasks name.

    Queues are asked in strict order, or by weight: high:5 default:3 low:1. The scheduler's duties are done here, too,
    so that nothing else needs to run. INT or TERM lets running jobs end; a second one gives them back.
    """
    log_to_terminal(verbose)
    app = load_app(target)
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
    )
    orders.check()
    pool = Pool(app, [sys.executable, "-m", "postroom.worker_process"], orders, processes)
    pool.install_signals()
    rounds = Rounds(app, asked)
    try:
        pool.run()
    finally:
        rounds.stop()
        app.observers.flush(FLUSH)
