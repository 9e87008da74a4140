"""`postroom dead list` and `show`: what died, and why."""

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click
from rich.table import Table

from postroom.commands.dead_options import ago, console, filter_options, plain, which
from postroom.commands.target import json_option, quick_app, url_option
from postroom.jobs.broker import Broker
from postroom.jobs.errors import DecodeError
from postroom.jobs.failure import Failure
from postroom.jobs.registry import decode_stored
from postroom.jobs.secrets import mask, names_of
from postroom.jobs.settings import Settings
from postroom.monitor.dead import DeadLetter, DeadLetters, Filter, Group, Summary, merge
from postroom.monitor.dead.letters import KINDS

LIMIT = 20


@click.command("list")
@filter_options
@click.option("--group-by", type=click.Choice(KINDS), help="Count them by this instead.")
@click.option("--limit", type=click.IntRange(1), default=LIMIT, show_default=True, help="Show at most so many.")
@url_option
@json_option
def list_(group_by: str | None, limit: int, url: str | None, as_json: bool, **given: Any) -> None:
    """List dead letters: those that will be kept longest first, which are the newest where all are kept equally long.

    With --json a line for each.
    """
    dead, wanted = DeadLetters(quick_app(url)), which(given)
    found: list[Any]
    if group_by:
        found = merge(dead.groups(wanted), group_by)
        _print_groups(found[:limit], len(found), group_by, wanted, as_json)
    else:
        found = dead.newest(wanted, limit)
        _print_rows(found, limit, wanted, as_json)


@click.command()
@click.argument("job_id", metavar="ID")
@click.option("--arguments", is_flag=True, help="Show its arguments, too; secret ones as ***.")
@url_option
@json_option
def show(job_id: str, arguments: bool, url: str | None, as_json: bool) -> None:
    """Show everything about one dead letter."""
    app = quick_app(url)
    letter = DeadLetters(app).show(job_id)
    call = _call(letter, app.broker, app.settings) if arguments else None
    if as_json:
        document = asdict(letter)
        del document["data"], document["content_type"], document["secret"]
        kinds = [_failure_as_dict(failure) for failure in letter.failures]
        shown = {**document.pop("summary"), "why": letter.why, **document, "failures": kinds}
        click.echo(json.dumps({**shown, **({"arguments": call} if arguments else {})}, default=str))
        return
    for label, text in _facts(letter):
        if text:
            click.echo(f"{label:<13}{plain(text)}")
    if arguments:
        click.echo(f"{'arguments':<13}{plain(json.dumps(call, default=str))}")
    for failure in letter.failures:
        _print_failure(failure)
    if letter.traceback and not letter.failures:
        click.echo(f"\n{plain(letter.traceback).rstrip()}")
    click.echo(f"\nOnce it is repaired: postroom dead redrive {letter.summary.id}")


def _print_rows(rows: list[Summary], limit: int, wanted: Filter, as_json: bool) -> None:
    if as_json:
        for row in rows:
            click.echo(json.dumps(asdict(row)))
        return
    if not rows:
        click.echo(nothing(wanted))
        return
    now = time.time()
    table = Table()
    table.add_column("id", no_wrap=True)
    for column in ("queue", "task", "reason"):
        table.add_column(column, overflow="fold")
    for column in ("attempts", "age"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        texts = (row.id, row.queue, row.task or "?", row.reason[:200] or "?")
        table.add_row(*map(plain, texts), "?" if row.attempts is None else str(row.attempts), ago(row.ended, now))
    console().print(table)
    if len(rows) == limit:
        click.echo(f"The first {limit:,}; --limit shows more, --group-by fingerprint counts all.")


def _print_groups(groups: list[Group], of: int, by: str, wanted: Filter, as_json: bool) -> None:
    if as_json:
        for group in groups:
            click.echo(json.dumps(asdict(group)))
        return
    if not groups:
        click.echo(nothing(wanted))
        return
    now = time.time()
    table = Table()
    for column in dict.fromkeys((by, "task", "reason of the last", "its id")):
        table.add_column(column, overflow="fold")
    for column in ("count", "first", "last"):
        table.add_column(column, justify="right", no_wrap=True)
    for group in groups:
        texts = {by: getattr(group, by) or "unknown"}
        texts.setdefault("task", group.task)
        row = [*texts.values(), group.reason[:200] or "?", group.example]
        table.add_row(*map(plain, row), f"{group.count:,}", ago(group.first, now), ago(group.last, now))
    console().print(table)
    if of > len(groups):
        click.echo(f"The largest {len(groups):,} of {of:,}; --limit shows more.")


def nothing(wanted: Filter) -> str:
    """There is none, in a sentence."""
    return "No dead letter matches." if wanted.narrow else "There are no dead letters."


def _facts(letter: DeadLetter) -> list[tuple[str, str]]:
    row = letter.summary
    attempts = "unknown" if row.attempts is None else str(row.attempts)
    deaths = f"{letter.deaths} processes died while they ran it" if letter.deaths else ""
    kept = "for ever" if row.expiry < 0 else f"until {_date(row.expiry)}"
    lost = f"{letter.redelivered} times, after a worker was lost" if letter.redelivered else ""
    return [
        ("job", row.id),
        ("task", row.task or "unknown"),
        ("queue", row.queue),
        ("why", letter.why),
        ("reason", row.reason),
        ("fingerprint", row.fingerprint),
        ("attempts", attempts),
        ("deaths", f"{deaths}, the last by {letter.death}" if deaths and letter.death else deaths or letter.death),
        ("redelivered", lost),
        ("created", _date(letter.created)),
        ("enqueued", _date(letter.enqueued)),
        ("started", _date(letter.started)),
        ("died", _date(row.ended)),
        ("worker", letter.worker),
        ("kept", kept),
        ("redriven", ", ".join(_date(at) for at in letter.redriven)),
    ]


def _print_failure(failure: Failure) -> None:
    took = f"{failure.ended - failure.started:.3f} s" if failure.ended and failure.started else "unknown"
    click.echo(f"\nattempt {failure.attempt}, {_date(failure.started)}, took {took}: {plain(failure.error)}")
    where = (("worker", failure.worker), ("host", failure.host), ("version", failure.version))
    told = [f"{label} {plain(text)}" for label, text in where if text]
    click.echo(f"  {', '.join(told)}") if told else None
    if failure.death:
        death = failure.death
        memory = f", at most {death.peak_bytes / 1e6:,.0f} MB" if death.peak_bytes else ""
        oom = f", {death.oom_kills} killed for want of memory" if death.oom_kills else ""
        click.echo(f"  its process died by {plain(death.how) or f'exit code {death.exit_code}'}{memory}{oom}")
    for text in (failure.traceback, failure.death.stack if failure.death else ""):
        if text:
            click.echo("\n".join(f"    {line}" for line in plain(text).rstrip().split("\n")))


def _failure_as_dict(failure: Failure) -> dict[str, Any]:
    names = failure.__struct_fields__
    found = {name: getattr(failure, name) for name in names}
    if failure.death:
        found["death"] = {name: getattr(failure.death, name) for name in failure.death.__struct_fields__}
    return found


def _call(letter: DeadLetter, broker: Broker, settings: Settings) -> Any:
    """Its arguments as {args, kwargs}, the secret ones masked; or why they cannot be told."""
    try:
        kind = letter.content_type
        _, args, kwargs = decode_stored(broker, letter.data, kind, kind is None, 10 * settings.payload_limit)
    except DecodeError as error:
        return f"cannot be read: {error}"
    # Where no worker knew the task, an argument without a name may be anything.
    secret = range(len(args)) if letter.secret is None else letter.secret
    shown = mask(args, kwargs, secret, names_of(settings.secret_names))
    return dict(zip(("args", "kwargs"), shown, strict=True))


def _date(time_: float | None) -> str:
    return "" if not time_ else datetime.fromtimestamp(time_, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
