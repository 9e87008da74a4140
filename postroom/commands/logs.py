"""`postroom logs`: what a job's handlers have logged, and what they log now."""

import json
import sys
from datetime import UTC, datetime

import click
from msgspec import structs

from postroom.commands.target import json_option, quick_app, url_option
from postroom.jobs.joblog import LogLine, follow
from postroom.logs import without_control


@click.command()
@click.argument("job_id", metavar="JOB")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until the job has ended.")
@url_option
@json_option
def logs(job_id: str, following: bool, url: str | None, as_json: bool) -> None:
    """Show what a job has logged with current_job.log: its newest lines, 1,000 or 64 KB at most.

    Exit code 1: the job is not on the server.
    """
    app = quick_app(url)
    job = app.job(job_id)
    if job.status() is None:
        what = "never enqueued there, past its time, or deleted"
        raise click.ClickException(f"job {job_id} is not on the server: {what}")
    last = 0
    try:
        for line in follow(app.broker, job_id) if following else job.logs():
            missing = line.number - last - 1
            last = line.number
            if as_json:
                click.echo(json.dumps(structs.asdict(line)))
                continue
            if missing:
                click.echo(f"({missing:,} {'line is' if missing == 1 else 'lines are'} no longer kept)", err=True)
            click.echo(shown(line))
            sys.stdout.flush()
    except KeyboardInterrupt:
        return  # how one stops following


def shown(line: LogLine) -> str:
    """As people read it."""
    at = datetime.fromtimestamp(line.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return without_control(f"{at} {line.attempt} {line.level:<7} {line.text}")
