"""What commands share: the app that `MODULE:app` names, and logs on the terminal."""

import traceback
from dataclasses import replace

import click
from rich.console import Console
from rich.logging import RichHandler

from postroom.jobs.app import Postroom
from postroom.jobs.broker import Broker
from postroom.jobs.errors import ConfigError
from postroom.jobs.naming import import_target
from postroom.logs import log_plainly

START_DEADLINE = 3.0
"""Seconds that a starting process tries to reach the server; then it is for a supervisor to try again."""


def load_app(target: str) -> Postroom:
    """The app, with the modules that it includes. What goes wrong inside of a module is shown where it happened.

    Raises:
        ConfigError: the target names no app, or a module that it needs is not there or cannot be imported.
    """
    try:
        app = import_target(target)
        if not isinstance(app, Postroom):
            raise ConfigError(f"{target!r} is of type {type(app).__name__}, not a Postroom app")
        app.load()
    except Exception as error:
        own = _own_traceback(error)
        if own is None:
            raise
        click.echo(own, err=True, nl=False)
        raise ConfigError(f"{target} cannot be loaded: {type(error).__name__}: {error}") from error
    return app


def _own_traceback(error: Exception) -> str | None:
    """The part of its traceback that is the user's modules'; None where it was not raised inside of a module."""
    frames = traceback.extract_tb(error.__traceback__)
    importing = [frame.filename.startswith("<frozen importlib") for frame in frames]
    if not any(importing):
        return None
    shown = traceback.TracebackException.from_exception(error)
    start = importing.index(True)
    own = [frame for frame, hidden in zip(frames[start:], importing[start:], strict=True) if not hidden]
    shown.stack = traceback.StackSummary.from_list(own)
    return "".join(shown.format())


def reach(app: Postroom) -> None:
    """Make sure that the server is there.

    Raises:
        Unavailable: it is not.
    """
    hasty = Broker(app.broker.url, app.keys, min(START_DEADLINE, app.settings.deadline))
    try:
        hasty.ping()
    finally:
        hasty.close()


def quick_app(url: str | None) -> Postroom:
    """An app without tasks, for commands that only look at a server."""
    app = Postroom(url)
    app.settings = replace(app.settings, deadline=START_DEADLINE)
    return app


def log_to_terminal(verbose: bool, log_json: bool = False) -> None:
    """Show Postroom's logs, and only Postroom's: the root logger is the user's."""
    console = Console(stderr=True)
    if console.is_terminal:
        log_plainly(
            verbose, log_json, "%(message)s", RichHandler(console=console, show_path=False, omit_repeated_times=False)
        )
    else:
        log_plainly(verbose, log_json)


url_option = click.option("--url", metavar="URL", help="The server; default: POSTROOM_REDIS_URL, REDIS_URL.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
verbose_option = click.option("-v", "--verbose", is_flag=True, help="Say more.")
log_json_option = click.option("--log-json", is_flag=True, help="Log a JSON object a line.")
