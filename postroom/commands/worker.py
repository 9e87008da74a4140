"""`postroom worker`: run jobs."""

import click

from postroom.commands.target import load_app, log_to_terminal, reach, verbose_option
from postroom.scheduler import ALL, Rounds
from postroom.workers.worker import Worker


@click.command()
@click.argument("target", metavar="MODULE:app")
@click.argument("queues", nargs=-1, metavar="[QUEUE]...")
@click.option("-c", "--concurrency", type=click.IntRange(1, 10_000), help="Threads (default 10).")
@click.option("--burst", is_flag=True, help="Stop when the queues are empty.")
@verbose_option
def worker(target: str, queues: tuple[str, ...], concurrency: int | None, burst: bool, verbose: bool) -> None:
    """Run the jobs of QUEUEs, or of every queue that the app's tasks name.

    The scheduler's duties are done here, too, so that nothing else needs to run. INT or TERM lets running jobs end;
    a second one gives them back.
    """
    log_to_terminal(verbose)
    app = load_app(target)
    reach(app)
    runs = Worker(app, queues, concurrency=concurrency, burst=burst)
    runs.install_signals()
    rounds = Rounds(app, ALL)
    try:
        runs.run()
    finally:
        rounds.stop()
