"""What the verbs of `postroom dead` share: filters, the preview and its question, and how things are written."""

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click
from rich.console import Console

from postroom.jobs.errors import ConfigError
from postroom.jobs.failure import Cause
from postroom.jobs.times import UNITS, duration
from postroom.monitor.dead import Filter, Group, Moved, merge

Command = Callable[..., None]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
TOP = 5
"""Kinds that a preview names."""


class Age(click.ParamType[float, str]):
    """`90s`, `15m`, `2h`, `1d`, `1w`: seconds."""

    name = "AGE"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Rate(click.ParamType[float, str]):
    """`50/s`, `100/m`, `1000/h`: so many a second."""

    name = "RATE"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)/([smhd])", str(value))
        if match is None or not float(match[1]):
            self.fail(f"{value!r} is no rate: write e.g. 50/s, 100/m or 1000/h", param, ctx)
        return float(match[1]) / UNITS[match[2]]


_FILTERS = (
    click.option("-q", "--queue", default="", help="Of this queue."),
    click.option("--task", default="", help="Of this task."),
    click.option("--error", default="", metavar="TEXT", help="With this in their reason, in capitals or not."),
    click.option("--fingerprint", default="", help="That died of the same error at the same place."),
    click.option("--cause", type=click.Choice([cause.value for cause in Cause]), help="That were stopped by this."),
    click.option("--older", type=Age(), help="That died so long ago, or longer: 90s, 15m, 2h, 1d."),
    click.option("--newer", type=Age(), help="That died since then."),
)


def filter_options(command: Command) -> Command:
    """Add the filters; `which` makes one of them."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
all_option = click.option("--all", "everything", is_flag=True, help="All dead letters.")
ids_argument = click.argument("ids", nargs=-1, metavar="[ID]...")


def which(given: dict[str, Any]) -> Filter:
    """The filter that the options make. None that dies from now on matches: what is shown is what is touched."""
    now = time.time()
    older, newer = given.pop("older"), given.pop("newer")
    return Filter(
        **{**given, "cause": given["cause"] or ""},
        since=None if newer is None else now - newer,
        before=now - (older or 0),
    )


def chosen(ids: tuple[str, ...], everything: bool, given: dict[str, Any], verb: str) -> Filter | tuple[str, ...]:
    """What a verb is to touch.

    Raises:
        ConfigError: it is not said, or said twice.
    """
    filtered = any(value not in {"", None} for value in given.values())
    if ids and (filtered or everything):
        raise ConfigError("give ids, or filters, or --all: not ids together with the others")
    if filtered and everything:
        raise ConfigError("--all means every dead letter: leave it out to use the filters")
    if not (ids or filtered or everything):
        raise ConfigError(f"say which: postroom dead {verb} ID…, a filter such as --task NAME, or --all")
    return ids or which(given)


def preview(groups: Iterable[Group], as_json: bool) -> int:
    """Say what is going to be touched; how many. With JSON to stderr, for stdout is a program's."""
    groups = list(groups)
    count = sum(group.count for group in groups)
    for kind in ("queue", "task", "fingerprint") if count else ():
        tops = merge(groups, kind)
        named = [f"{top.count:,} {plain(getattr(top, kind)) or 'unknown'}{_reason(top, kind)}" for top in tops[:TOP]]
        more = f", {len(tops) - TOP:,} more" if len(tops) > TOP else ""
        click.echo(f"  by {kind + ':':<13}{', '.join(named)}{more}", err=as_json)
    return count


def confirm(question: str, yes: bool, as_json: bool) -> None:
    """Ask, unless `--yes`.

    Raises:
        ConfigError: nobody is there to answer.
        click.Abort: the answer was no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError("this asks before it begins, and nobody is at the terminal: add --yes")
    click.confirm(question, abort=True, err=as_json)


def counting(verb: str, total: int) -> Callable[[int], None]:
    """A line that tells how far it is, on a terminal."""
    if not sys.stderr.isatty():
        return lambda moved: None
    return lambda moved: click.echo(f"\r{verb} {moved:,} of {total:,}", nl=moved >= total, err=True)


def report(moved: Moved, text: str, as_json: bool, why: Mapping[str, str], **more: Any) -> None:
    """What came of an action, and what was left, with its reasons."""
    if as_json:
        left = {"left": dict(moved.left), "left_ids": moved.left_ids} if moved.left else {}
        click.echo(json.dumps({**more, "count": moved.count, **left}))
        return
    click.echo(text)
    for reason, count in Counter(moved.left).most_common():
        click.echo(f"  {count:,} not: {why.get(reason, f'the job is {reason}')}")
    if moved.left:
        shown = ", ".join(moved.left_ids)
        click.echo(f"  they are: {shown}{' …' if sum(moved.left.values()) > len(moved.left_ids) else ''}")


def undo_hint(moved: Moved) -> str:
    """How to undo that; '' where nothing was moved: an undo would be of the action before."""
    return " For 15 minutes: postroom dead undo" if moved.count else ""


def plural(count: int) -> str:
    """`1 dead letter`, `2 dead letters`."""
    return f"{count:,} dead letter{'' if count == 1 else 's'}"


def plain(text: str) -> str:
    """Fit for a terminal: what errors say must not steer it."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def ago(time_: float | None, now: float) -> str:
    """How long ago, in a word."""
    if time_ is None:
        return "?"
    seconds = max(0.0, now - time_)
    for unit in ("w", "d", "h", "m"):
        if seconds >= 2 * UNITS[unit]:
            return f"{int(seconds // UNITS[unit])}{unit}"
    return f"{int(seconds)}s"


def console() -> Console:
    """Prints what stands in Redis as it is. Into a file or a pipe, lines are as long as they need to be."""
    made = Console(markup=False, highlight=False, emoji=False)
    return made if made.is_terminal else Console(markup=False, highlight=False, emoji=False, width=240)


def _reason(group: Group, kind: str) -> str:
    return f" ({plain(group.reason)[:60]})" if kind == "fingerprint" and group.reason else ""
