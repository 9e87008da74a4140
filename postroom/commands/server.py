"""`postroom server start|stop|status`: the embedded server of a project folder."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from postroom.embedded import EmbeddedServer, Status, project_folder


@click.group()
def server() -> None:
    """The embedded server: one for each project folder, its data in .postroom/."""


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what all three verbs take."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
    project = click.option(
        "--project",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        metavar="DIR",
        help="The project folder; otherwise the one around the current folder.",
    )
    return project(as_json(command))


@server.command()
@_options
def start(project: Path | None, as_json: bool) -> None:
    """Start the server, or find it running."""
    embedded = EmbeddedServer(project or project_folder())
    embedded.ensure_running()
    _show(embedded.status(), as_json)


@server.command()
@_options
def stop(project: Path | None, as_json: bool) -> None:
    """Stop the server. Its data stay."""
    embedded = EmbeddedServer(project or project_folder())
    stopped = embedded.stop()
    if as_json:
        _print_json({"stopped": stopped, "project": str(embedded.project), "data": str(embedded.data)})
    elif stopped:
        click.echo(f"Stopped the server of {embedded.project}. Its data stay in {embedded.data}.")
    else:
        click.echo(f"No server runs for {embedded.project}.")


@server.command()
@_options
@click.pass_context
def status(context: click.Context, project: Path | None, as_json: bool) -> None:
    """Tell whether the server runs: exit code 0 if it does, else 1."""
    found = EmbeddedServer(project or project_folder()).status()
    _show(found, as_json)
    context.exit(0 if found.running else 1)


def _show(found: Status, as_json: bool) -> None:
    if as_json:
        _print_json(asdict(found))
    elif not found.running:
        click.echo(f"No server runs for {found.project}. Start it with: postroom server start")
    else:
        click.echo(f"{found.server} runs for {found.project}")
        click.echo(f"  url     {found.url}")
        click.echo(f"  data    {found.data}")
        click.echo(f"  pid     {found.pid}, up for {found.uptime_seconds} s")
        click.echo(f"  memory  {(found.memory_bytes or 0) / 1e6:.1f} MB, {found.keys} keys")


def _print_json(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document))
