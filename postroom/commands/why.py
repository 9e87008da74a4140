"""`postroom why`: why a job is not running, or how it ended; why a queue does not move."""

import json
from dataclasses import asdict
from typing import Any

import click

from postroom.commands.target import json_option, quick_app, url_option
from postroom.jobs.broker import Broker
from postroom.jobs.keys import JOB_ID
from postroom.jobs.options import check_queue_name
from postroom.monitor.look import look_at_job, look_at_queue
from postroom.monitor.nearest import nearest
from postroom.monitor.why import Answer, why_job, why_queue


@click.command()
@click.argument("name", metavar="JOB|QUEUE")
@url_option
@json_option
@click.pass_context
def why(ctx: click.Context, name: str, url: str | None, as_json: bool) -> None:
    """Say in a sentence why a job is not running or how it ended, or why a queue does not move.

    Where a job and a queue have the same name, the job is meant. Exit code 1: neither is on the server.
    """
    check_queue_name(name)  # every job's id could be a queue's name
    app = quick_app(url)
    answer, facts = explain(app.broker, name)
    if as_json:
        click.echo(json.dumps({"sentence": answer.sentence, "state": answer.state, "facts": facts}))
    else:
        click.echo(answer.sentence)
    if answer.state == "missing":
        ctx.exit(1)


def explain(broker: Broker, name: str) -> tuple[Answer, dict[str, Any]]:
    """The answer, and the facts that it comes from."""
    job = look_at_job(broker, name) if JOB_ID.fullmatch(name) else None
    if job is not None and job.status != "missing":
        return why_job(job), asdict(job)
    queue = look_at_queue(broker, name)
    if queue is not None:
        return why_queue(queue), asdict(queue)
    near = nearest(broker, name)
    said = why_job(job).sentence if job else f"{name!r} cannot be a job's id, and no queue of this name ever had a job."
    like = f" Like it are: {', '.join(near)}." if near else ""
    return Answer("missing", said + like), {"name": name, "nearest": near}
