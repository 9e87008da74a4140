"""`postroom cron`: the schedules on the server: which there are, when they tick, and what people do to them."""

import json
import math
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click
import msgspec
from rich.table import Table

from postroom.commands.dead_options import Age, ago, console, plain
from postroom.commands.target import json_option, quick_app, url_option
from postroom.jobs import calls, timetable
from postroom.jobs.app import Postroom
from postroom.jobs.errors import ConfigError, PostroomError
from postroom.jobs.messages import batch_of_one
from postroom.jobs.options import Options
from postroom.jobs.schedules import CATCH_UP, OVERLAP, Schedule, make
from postroom.jobs.times import span
from postroom.jobs.timetable import PAGE, Entry

_name = click.argument("name", metavar="NAME")
TIMES = 10
"""Ticks that `next` shows."""


@click.group()
def cron() -> None:
    """Schedules: list them, see when they tick, pause, run, add or remove them."""


@cron.command("list")
@url_option
@json_option
def list_(url: str | None, as_json: bool) -> None:
    """List the schedules, those first that tick first.

    `undeclared`: no worker and no scheduler that lives has it in its code, so that it does not tick.
    """
    app = quick_app(url)
    now, entries = _all(app)
    if as_json:
        for entry in entries:
            click.echo(json.dumps(_as_dict(entry, now)))
        return
    if not entries:
        click.echo(f"There is no schedule on {app.broker.safe_url}.")
        return
    table = Table()
    for column in ("schedule", "when", "task", "queue", "state", "next", "last"):
        table.add_column(column)
    for entry in entries:
        schedule, state = entry.schedule, entry.state(now)
        last = "never" if entry.last is None else f"{ago(entry.last, now)} ago"
        cells = (schedule.name, schedule.when, schedule.task, schedule.queue, state, _in(entry, now), last)
        table.add_row(*map(plain, cells))
    console().print(table)


@cron.command("next")
@_name
@url_option
@json_option
def next_(name: str, url: str | None, as_json: bool) -> None:
    """Show the next ten ticks of a schedule, with its jitter, in its time zone."""
    app = quick_app(url)
    now, entry = _one(app, name)
    state, at = entry.state(now), now
    if state != "ticks":
        click.echo(f"schedule {plain(name)} is {state}: none of these comes", err=True)
    for _ in range(TIMES):
        at = entry.schedule.after(at)
        if at == math.inf:
            break
        run_at = at + entry.schedule.shift(at)
        if as_json:
            click.echo(json.dumps({"tick": _iso(at), "run_at": _iso(run_at), "job": entry.schedule.job_id(at)}))
        else:
            shown = datetime.fromtimestamp(run_at, ZoneInfo(entry.schedule.tz))
            click.echo(f"{shown:%a %Y-%m-%d %H:%M:%S %Z}  in {span(run_at - now)}")


@cron.command()
@_name
@url_option
@json_option
def pause(name: str, url: str | None, as_json: bool) -> None:
    """Let a schedule tick no more, whatever its code says, until it is resumed."""
    _alter(quick_app(url), "pause", name, "paused", as_json)


@cron.command()
@_name
@url_option
@json_option
def resume(name: str, url: str | None, as_json: bool) -> None:
    """Let a paused schedule tick again. What it missed meanwhile is not made up for."""
    _alter(quick_app(url), "resume", name, "resumed", as_json)


@cron.command()
@_name
@url_option
@json_option
def remove(name: str, url: str | None, as_json: bool) -> None:
    """Remove a schedule that was added by hand, or is in no living process's code any more."""
    app = quick_app(url)
    now, entry = _one(app, name)
    if not entry.added and entry.declared > now - timetable.LIVES:
        raise PostroomError(
            f"schedule {name!r} is in the code of workers or schedulers that live, which would declare it again: pause "
            f"it, or take it out of the code and wait for {timetable.LIVES} s"
        )
    _alter(app, "remove", name, "removed", as_json)


@cron.command()
@_name
@url_option
@json_option
def run(name: str, url: str | None, as_json: bool) -> None:
    """Enqueue a schedule's job now. Its ticks go on as ever."""
    app = quick_app(url)
    _, entry = _one(app, name)
    schedule = entry.schedule
    kept = {"timeout": schedule.timeout, "result_ttl": schedule.result_ttl}
    options = {field: value for field, value in kept.items() if value is not None}
    job = app.using(schedule.task, queue=schedule.queue, **options).enqueue(*schedule.args, **schedule.kwargs)  # type: ignore[arg-type]
    _say({"schedule": name, "job": job.id}, f"enqueued job {job.id} on queue {schedule.queue}", as_json)


@cron.command()
@_name
@click.argument("task", metavar="TASK")
@click.option("--cron", "expression", metavar="'* * * * *'", help="When: five fields, or @daily and its like.")
@click.option("--every", type=Age(), metavar="DURATION", help="Or every so often: 90s, 15m, 2h, 1d.")
@click.option("--tz", metavar="ZONE", help="The time zone of --cron, e.g. Europe/Paris; default: UTC.")
@click.option("--jitter", type=Age(), default="0s", metavar="DURATION", help="Put each tick off by up to this.")
@click.option("--catch-up", type=click.Choice(CATCH_UP), default="last", help="Which missed ticks are made.")
@click.option("--overlap", type=click.Choice(OVERLAP), default="allow", help="Where the job before has not ended.")
@click.option("-q", "--queue", default="default", help="The queue of its jobs.")
@click.option("--args", "arguments", default="[]", metavar="JSON", help="""The call's arguments: '[1, "x"]'.""")
@click.option("--kwargs", "keywords", default="{}", metavar="JSON", help="""Its keyword arguments: '{"full": true}'.""")
@url_option
@json_option
def add(name: str, task: str, arguments: str, keywords: str, url: str | None, as_json: bool, **given: Any) -> None:
    """Add a schedule NAME that calls TASK. It ticks wherever the duties are done; no code needs to know it."""
    app = quick_app(url)
    now = app.broker.run(calls.server_time())
    options = Options(queue=given.pop("queue"))
    args, kwargs = _json("args", arguments, list), _json("kwargs", keywords, dict)
    batch_of_one(task, args, kwargs, options, app.settings.payload_limit)
    when = {"cron": given.pop("expression"), "now": now, **given}
    schedule = make(name=name, task=task, options=options, args=args, kwargs=kwargs, **when)
    _alter(app, "add", name, "added", as_json, schedule)


def _alter(app: Postroom, verb: str, name: str, done: str, as_json: bool, schedule: Schedule | None = None) -> None:
    now = app.broker.run(calls.server_time())
    of = schedule or _one(app, name)[1].schedule
    reply = app.broker.run(timetable.alter(app.keys, verb, name, of.after(now), schedule))
    if reply == "TAKEN":
        raise PostroomError(f"there is a schedule {name!r}: remove it first, or choose another name")
    if reply == "MISSING":
        raise _missing(app, name)
    was = " already" if reply == calls.ALREADY else ""
    _say({"schedule": name, "done": done, "changed": not was}, f"schedule {name}: {done}{was}", as_json)


def _say(said: dict[str, Any], text: str, as_json: bool) -> None:
    click.echo(json.dumps(said) if as_json else plain(text))


def _one(app: Postroom, name: str) -> tuple[float, Entry]:
    """The server's time, and the schedule."""
    now, due, stored = app.broker.run_many(
        [calls.server_time(), timetable.due_of(app.keys, name), timetable.stored(app.keys, name)]
    )
    if due is None:
        raise _missing(app, name)
    return now, Entry.read(stored, due)


def _all(app: Postroom) -> tuple[float, list[Entry]]:
    now, found = app.broker.run_many([calls.server_time(), timetable.waiting(app.keys)])
    page = found
    while len(page) == PAGE:
        page = app.broker.run(timetable.waiting(app.keys, len(found)))
        found += page
    stored = app.broker.run_many([timetable.stored(app.keys, name) for name, _ in found]) if found else []
    entries = []
    for (name, due), fields in zip(found, stored, strict=True):
        try:
            entries.append(Entry.read(fields, due))
        except ConfigError as error:
            click.echo(f"schedule {plain(name)}: {error}", err=True)
    return now, entries


def _missing(app: Postroom, name: str) -> PostroomError:
    names = [entry.schedule.name for entry in _all(app)[1]]
    return PostroomError(f"there is no schedule {name!r}; there are: {', '.join(names) or 'none'}")


def _as_dict(entry: Entry, now: float) -> dict[str, Any]:
    told = msgspec.to_builtins(entry.schedule)
    for field in ("args", "kwargs"):  # they may hold secrets
        told.pop(field)
    waits = None if entry.due == math.inf else _iso(entry.due)
    last = None if entry.last is None else _iso(entry.last)
    return {**told, "state": entry.state(now), "added": entry.added, "next": waits, "last": last, "job": entry.job}


def _in(entry: Entry, now: float) -> str:
    if entry.due == math.inf:
        return ""
    return f"in {span(entry.due - now)}" if entry.due > now else f"due for {span(now - entry.due)}"


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def _json(option: str, text: str, kind: type) -> Any:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"--{option} {text!r} is no JSON: {error}") from None
    if not isinstance(found, kind):
        raise ConfigError(f"--{option} {text!r}: give a JSON {'list' if kind is list else 'object'}")
    return found
