"""`postroom dead export` and `import`: dead letters in a file, one line of JSON each."""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from postroom.commands.dead_look import nothing
from postroom.commands.dead_options import (
    chosen,
    confirm,
    counting,
    filter_options,
    ids_argument,
    plural,
    preview,
    report,
    undo_hint,
    yes_option,
)
from postroom.commands.target import json_option, quick_app, url_option
from postroom.jobs.errors import ConfigError, DecodeError
from postroom.monitor.dead import DeadLetters, Filter, Group, merge
from postroom.monitor.dead.files import Line, read

_SPOOLED = 8_000_000
"""Bytes of stdin that are kept in memory before they go to a file."""
_TAKEN = {"failed": "the id is a dead letter's; --replace puts it in its place"}


@click.command()
@ids_argument
@filter_options
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Not to stdout.")
@url_option
@json_option
def export(ids: tuple[str, ...], output: Path | None, url: str | None, as_json: bool, **given: Any) -> None:
    """Write dead letters, all where no filter is given: one line of JSON each, with everything that restores it: their
    arguments, too, and the secrets in these.

    --json changes nothing for the lines; with -o it prints {"count", "file"}.
    """
    dead = DeadLetters(quick_app(url))
    filtered = any(value not in {"", None} for value in given.values())
    wanted = chosen(ids, not (ids or filtered), given, "export")
    count = 0
    with _opened(output) as file:
        for line in dead.export(wanted):
            file.write(line + b"\n")
            count += 1
    told = nothing(wanted) if not count and isinstance(wanted, Filter) else f"Exported {plural(count)}."
    if count:
        click.echo("They hold the jobs' arguments as they are, secrets, too: keep them accordingly.", err=True)
    if as_json and output:
        click.echo(json.dumps({"count": count, "file": str(output)}))
    else:
        click.echo(told, err=True)


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True), metavar="FILE")
@click.option("--replace", is_flag=True, help="Take the place of dead letters with the same id.")
@yes_option
@url_option
@json_option
def load(file: str, replace: bool, yes: bool, url: str | None, as_json: bool) -> None:
    """Read dead letters from FILE (- for stdin) as export has written them. A broken line: nothing is imported."""
    dead = DeadLetters(quick_app(url))
    with _whole(file) as lines:
        try:
            groups = _groups(read(lines))
        except DecodeError as error:
            click.echo(f"{file}: {error}. Nothing was imported.", err=True)
            sys.exit(1)
        count = sum(group.count for group in groups)
        click.echo(f"Import {plural(count)}{':' if count else '.'}", err=as_json)
        preview(groups, as_json)
        if count:
            confirm("Import them?", yes, as_json)
        lines.seek(0)
        moved = dead.load(read(lines), replace=replace, progress=counting("Imported", count))
    text = f"Imported {plural(moved.count)}.{undo_hint(moved)}"
    report(moved, text, as_json, _TAKEN, verb="import")


def _groups(lines: Iterator[Line]) -> list[Group]:
    found: dict[tuple[str, ...], Group] = {}
    for line in lines:
        names = ("p:task", "p:cause", "p:fingerprint", "p:reason")
        task, cause, fingerprint, reason = (line.fields.get(name, "") for name in names)
        one = Group(line.queue, task, cause, fingerprint, 1, None, None, line.id, reason)
        key = (line.queue, task, cause, fingerprint)
        found[key] = found[key].join(one) if key in found else one
    return merge(found.values())


@contextmanager
def _opened(output: Path | None) -> Iterator[IO[bytes]]:
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with _open(output, "wb") as file:
        yield file


@contextmanager
def _whole(name: str) -> Iterator[IO[bytes]]:
    """The file from its beginning, and again: stdin is put aside first."""
    if name == "-":
        with tempfile.SpooledTemporaryFile(_SPOOLED) as spooled:
            shutil.copyfileobj(sys.stdin.buffer, spooled)
            spooled.seek(0)
            yield spooled
        return
    with _open(Path(name), "rb") as file:
        yield file


def _open(path: Path, mode: str) -> IO[bytes]:
    try:
        return path.open(mode)
    except OSError as error:
        raise ConfigError(f"{path} cannot be {'written' if 'w' in mode else 'read'}: {error.strerror}") from error
