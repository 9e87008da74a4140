"""What commands share: the app that `MODULE:app` names, and logs on the terminal."""

import logging
from dataclasses import replace

import click
from rich.console import Console
from rich.logging import RichHandler

from postroom.jobs.app import Postroom
from postroom.jobs.broker import Broker
from postroom.jobs.errors import ConfigError
from postroom.jobs.naming import import_target

START_DEADLINE = 3.0
"""Seconds that a starting process tries to reach the server; then it is for a supervisor to try again."""


def load_app(target: str) -> Postroom:
    """The app, with the modules that it includes.

    Raises:
        ConfigError: the target names no app, or a module that it needs is not there.
    """
    app = import_target(target)
    if not isinstance(app, Postroom):
        raise ConfigError(f"{target!r} is a {type(app).__name__}, not a Postroom app")
    app.load()
    return app


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


def log_to_terminal(verbose: bool) -> None:
    """Show Postroom's logs, and only Postroom's: the root logger is the user's."""
    logger = logging.getLogger("postroom")
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    if not logger.handlers and not logging.getLogger().handlers:
        console = Console(stderr=True)
        handler: logging.Handler = (
            RichHandler(console=console, show_path=False, omit_repeated_times=False)
            if console.is_terminal
            else logging.StreamHandler()
        )
        if not isinstance(handler, RichHandler):
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.addHandler(handler)


url_option = click.option("--url", metavar="URL", help="The server; default: POSTROOM_REDIS_URL, REDIS_URL.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
verbose_option = click.option("-v", "--verbose", is_flag=True, help="Say more.")
