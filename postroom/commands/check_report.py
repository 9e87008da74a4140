"""What `postroom check` prints."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from postroom.commands.dead_options import plain
from postroom.contracts.breaks import Break
from postroom.contracts.gate import Findings
from postroom.contracts.judge import Judgement, Status

_MARKS = {Status.BREAKING: "✗", Status.NEW: "+", Status.CHANGED: "+", Status.LOCKED: "✓", Status.RETIRED: "-"}


@contextmanager
def progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("jobs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("jobs", total=total)
        yield lambda more: bar.advance(task, more)


def print_judgements(judged: Sequence[Judgement], path: Path, *, update: bool, as_json: bool) -> None:
    """What stands how to the lock, and what breaks whom."""
    if as_json:
        click.echo(json.dumps({"lock": str(path), "contracts": [_as_dict(one, update=update) for one in judged]}))
        return
    shown = [one for one in judged if one.breaks or one.added is not None]
    for one in shown:
        kind, name = one.key
        click.echo(
            f"{_MARKS[one.status]} {kind} {name}, version {one.version}, {one.mode}: {_word(one, update=update)}"
        )
        for told in one.breaks:
            _print_break(told)
    click.echo(_sum(judged, path, update=update))


def _print_break(told: Break) -> None:
    between = f" ({told.versions[0]} → {told.versions[1]})" if told.versions else ""
    click.echo(f"    {told.path}  {plain(told.change)}")
    if told.whom is not None:
        click.echo(f"        breaks  {told.whom}{between}")
    click.echo(f"        fix     {plain(told.fix)}")


def _word(one: Judgement, *, update: bool) -> str:
    if one.status is Status.BREAKING:
        return "breaking"
    return f"{one.status}, {'added' if update else 'not in the lock yet'}"


def _sum(judged: Sequence[Judgement], path: Path, *, update: bool) -> str:
    broken = sum(one.status is Status.BREAKING for one in judged)
    open_ = sum(one.added is not None and one.status is not Status.BREAKING for one in judged)
    if broken:
        return f"{broken} of {len(judged)} would break somebody."
    if open_ and not update:
        return f"Nothing breaks. {open_} of {len(judged)} are not in {path} yet: run this with --update, and commit it."
    if open_:
        return f"Nothing breaks. {path} has {open_} more: commit it."
    return f"Nothing breaks: {len(judged)} tasks and messages are as {path} has them."


def _as_dict(one: Judgement, *, update: bool) -> dict[str, Any]:
    kind, name = one.key
    return {
        "kind": kind,
        "name": name,
        "version": one.version,
        "mode": one.mode,
        "status": one.status,
        "locked": one.added is None or (update and one.status is not Status.BREAKING),
        "breaks": [asdict(told) for told in one.breaks],
    }


def print_findings(findings: Findings, url: str, *, as_json: bool) -> None:
    """What a server has that would not be taken."""
    if as_json:
        click.echo(json.dumps({"server": url, **asdict(findings)}))
        return
    for problem in findings.problems:
        states = ", ".join(f"{number:,} {state}" for state, number in sorted(problem.states.items()))
        click.echo(f"✗ {plain(problem.task) or 'unknown task'}: {plain(problem.problem)}")
        click.echo(
            f"    {problem.count:,} jobs: {states}; e.g. {plain(problem.sample)} of queue {plain(problem.queue)}"
        )
        if problem.arguments:
            click.echo(f"    {plain(problem.arguments)}")
    refused = sum(problem.count for problem in findings.problems)
    verdict = f"{refused:,} would not be taken." if refused else "All would be taken."
    click.echo(f"{findings.looked:,} jobs on {url}. {verdict}")
    for number, what in (
        (findings.dead_before, "dead letters could not be read before and cannot now"),
        (findings.pickled, "jobs are pickled and were not opened"),
    ):
        if number:
            click.echo(f"{number:,} {what}.")
