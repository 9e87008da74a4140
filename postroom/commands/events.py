"""`postroom events`: what happens to jobs, queues and workers, as it happens."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import click

from postroom.commands.dead_options import plain
from postroom.commands.target import json_option, quick_app, url_option
from postroom.jobs.record import GAP, Event
from postroom.jobs.times import duration

SHOWN = 3
"""Ids that a line shows."""


@click.command()
@click.option("-q", "--queue", default="", help="Only of this queue.")
@click.option("--task", default="", help="Only of jobs of this task.")
@click.option("-e", "--event", "events", multiple=True, metavar="EVENT", help="Only these; may be repeated.")
@click.option("--since", metavar="AGE|ID", help="From so long ago (90s, 15m, 2h, 1d), or after the event of this id.")
@click.option("-f", "--follow", is_flag=True, help="Go on as things happen.")
@url_option
@json_option
def events(
    queue: str, task: str, events: tuple[str, ...], since: str | None, follow: bool, url: str | None, as_json: bool
) -> None:
    """Show what is on the record of events; with --follow, what happens from now on.

    The record is kept while somebody listens, and a quarter of an hour on; always where POSTROOM_EVENTS=on. So a first
    call may find nothing, and a later one what happened since.
    """
    app = quick_app(url)
    begin = _begin(since) if since else None if follow else 0.0
    try:
        for event in app.events(queue=queue, task=task, events=events, since=begin, follow=follow):
            click.echo(json.dumps(as_dict(event)) if as_json else line(event))
    except KeyboardInterrupt:
        return  # how one stops following


def _begin(since: str) -> str | float:
    """A time, where it is an age; an id, where it may be one."""
    try:
        return max(0.001, time.time() - duration(since))
    except ValueError:
        return since


def as_dict(event: Event) -> dict[str, Any]:
    """As JSON shows it."""
    found = {"id": event.id, "at": _time(event), "event": event.event, "queue": event.queue}
    missed = {"missed": event.missed} if event.event == GAP else {}
    return {**found, "jobs": list(event.jobs), "worker": event.worker, **missed}


def line(event: Event) -> str:
    """As people read it."""
    if event.event == GAP:
        count = "an unknown number of" if event.missed is None else f"{event.missed:,}"
        return f"{_time(event)}  gap: {count} entries are missing after this"
    more = f" and {len(event.jobs) - SHOWN:,} more" if len(event.jobs) > SHOWN else ""
    parts = (f"{event.event:<11}", event.queue, ", ".join(event.jobs[:SHOWN]) + more, event.worker)
    return plain("  ".join([_time(event), *(part for part in parts if part)]))


def _time(event: Event) -> str:
    return datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
