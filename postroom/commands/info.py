"""`postroom info`: how many jobs are where."""

import json

import click
from rich.console import Console
from rich.table import Table

from postroom.commands.target import json_option, quick_app, url_option
from postroom.monitor.counts import count_jobs

_COLUMNS = ("queued", "started", "scheduled", "deferred", "finished", "failed", "canceled", "expired", "declined")


@click.command()
@url_option
@json_option
def info(url: str | None, as_json: bool) -> None:
    """Show every queue with its jobs by state."""
    app = quick_app(url)
    counts = [queue.as_dict() for queue in count_jobs(app.broker)]
    if as_json:
        click.echo(json.dumps({"server": app.broker.safe_url, "queues": counts}))
        return
    table = Table(title=f"Queues on {app.broker.safe_url}")
    table.add_column("queue")
    for column in _COLUMNS:
        table.add_column(column, justify="right")
    for queue in counts:
        table.add_row(queue["name"], *(f"{queue[column]:,}" for column in _COLUMNS))
    Console().print(table if counts else f"No queue on {app.broker.safe_url} ever had a job.")
