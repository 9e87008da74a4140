"""`postroom dead redrive`, `purge` and `undo`: what changes dead letters."""

import json
import sys
import time
from typing import Any

import click

from postroom.commands.dead_look import nothing
from postroom.commands.dead_options import (
    Rate,
    ago,
    all_option,
    chosen,
    confirm,
    counting,
    filter_options,
    ids_argument,
    plain,
    plural,
    preview,
    report,
    undo_hint,
    yes_option,
)
from postroom.commands.target import json_option, quick_app, url_option
from postroom.jobs.errors import ConfigError
from postroom.jobs.options import check_queue_name
from postroom.monitor.dead import Canary, DeadLetters, Filter, Moved

_CHANGED = {"changed": "meanwhile redriven, purged or dead again by somebody else's doing"}
_SINCE = {
    "started": "running now",
    "finished": "finished",
    "queued": "tried, and about to be tried again",
    "scheduled": "tried, and waiting to be tried again",
    "again": "tried, and dead again",
    "gone": "no longer on the server",
    "expired": "its 15 minutes are over",
}


@click.command()
@ids_argument
@filter_options
@all_option
@click.option("--to", default="", metavar="QUEUE", help="Put them on this queue instead of their own.")
@click.option("--rate", type=Rate(), help="At most so many: 50/s, 100/m.")
@click.option("--canary", is_flag=True, help="First 1, then 10, then the rest; stop when one dies as before.")
@click.option("--wait", type=click.FloatRange(0, min_open=True), default=600, show_default=True, metavar="SECONDS")
@yes_option
@url_option
@json_option
def redrive(
    ids: tuple[str, ...],
    everything: bool,
    to: str,
    rate: float | None,
    canary: bool,
    wait: float,
    yes: bool,
    url: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Put dead letters back on their queue, the oldest first. Their attempts begin anew; what failed is kept.

    With --canary each stage may take --wait seconds.
    """
    dead, wanted = DeadLetters(quick_app(url)), chosen(ids, everything, given, "redrive")
    if to:
        check_queue_name(to)
    count = _announce(dead, wanted, "redrive", yes, as_json)
    if not count:
        return
    stages = Canary(wait=wait, told=_stage_line()) if canary else None
    moved = dead.redrive(wanted, to=to, rate=rate, canary=stages, progress=counting("Redriven", count))
    stopped = {"stopped": _stopped(moved, count)} if moved.stopped else {}
    text = f"Redrove {plural(moved.count)}.{undo_hint(moved)}"
    report(moved, text, as_json, _CHANGED, verb="redrive", **stopped)
    if moved.stopped:
        click.echo(stopped["stopped"], err=True)
        sys.exit(1)


@click.command()
@ids_argument
@filter_options
@all_option
@yes_option
@url_option
@json_option
def purge(ids: tuple[str, ...], everything: bool, yes: bool, url: str | None, as_json: bool, **given: Any) -> None:
    """Forget dead letters. They are gone for good 15 minutes later."""
    dead, wanted = DeadLetters(quick_app(url)), chosen(ids, everything, given, "purge")
    count = _announce(dead, wanted, "purge", yes, as_json)
    if count:
        moved = dead.purge(wanted, progress=counting("Purged", count))
        report(moved, f"Purged {plural(moved.count)}.{undo_hint(moved)}", as_json, _CHANGED, verb="purge")


@click.command()
@yes_option
@url_option
@json_option
def undo(yes: bool, url: str | None, as_json: bool) -> None:
    """Undo the last redrive, purge or import, of the last 15 minutes, where nobody has touched the jobs since."""
    dead = DeadLetters(quick_app(url))
    last = dead.last_action()
    if last is None:
        if as_json:
            click.echo(json.dumps({"verb": "undo", "count": 0}))
        click.echo("There is nothing to undo: nothing was redriven, purged or imported within 15 minutes.", err=True)
        sys.exit(1)
    action, queues = last
    count = sum(queues.values())
    click.echo(f"Undo the {action.verb} of {plural(count)}, begun {ago(action.at, time.time())} ago:", err=as_json)
    click.echo(f"  by queue:     {', '.join(f'{n:,} {queue}' for queue, n in queues.items())}", err=as_json)
    confirm("Undo it?", yes, as_json)
    moved = dead.undo(progress=counting("Undone", count)) or Moved(action.id)
    report(moved, f"Undone for {plural(moved.count)}.", as_json, _SINCE, verb="undo", undone=action.verb)


def _announce(dead: DeadLetters, wanted: Filter | tuple[str, ...], verb: str, yes: bool, as_json: bool) -> int:
    """Say what will be touched, and ask where it was not named one by one; how many."""
    if not isinstance(wanted, Filter):
        return len(dead.find(wanted))
    groups = dead.groups(wanted)
    count = sum(group.count for group in groups)
    if not count:
        if as_json:
            click.echo(json.dumps({"verb": verb, "count": 0}))
        click.echo(nothing(wanted), err=as_json)
        return 0
    click.echo(f"{verb.capitalize()} {plural(count)}:", err=as_json)
    preview(groups, as_json)
    confirm(f"{verb.capitalize()} them?", yes, as_json)
    return count


def _stage_line() -> Any:
    seen: list[tuple[int, int]] = []

    def told(ended: int, of: int) -> None:
        if seen[-1:] != [(ended, of)]:
            seen.append((ended, of))
            click.echo(f"canary: {ended} of {of} ended", err=True)

    return told


def _stopped(moved: Moved, count: int) -> str:
    stopped = moved.stopped
    if stopped is None:
        raise ConfigError("nothing was stopped")
    done = f"Stopped after {moved.count:,} of {count:,}"
    if not stopped.died:
        return (
            f"{done}: job {stopped.id} has not ended in time (it is {stopped.reason}); see that workers take its "
            "queue, or give more time with --wait, then redrive again."
        )
    reason, fingerprint = plain(stopped.reason) or "reason unknown", plain(stopped.fingerprint) or "unknown"
    return (
        f"{done}: job {stopped.id} died again as before ({reason}, fingerprint {fingerprint}); "
        f"see postroom dead show {stopped.id}, repair it, then redrive again."
    )
