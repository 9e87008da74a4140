"""What `worker` and `scheduler` share: where metrics and health are served."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, TypeVar

import click

from postroom.jobs.app import Postroom
from postroom.jobs.naming import import_module
from postroom.jobs.settings import Settings
from postroom.scheduler import Duty
from postroom.workers.record import Record

F = TypeVar("F", bound=Callable[..., Any])


def metrics_options(command: F) -> F:
    """Give a command the options."""
    host = click.option("--metrics-host", metavar="HOST", help="The address for that (default 127.0.0.1).")
    port = click.option(
        "--metrics-port", type=click.IntRange(0, 65_535), help="Serve /metrics, /healthz and /readyz on this port."
    )
    return port(host(command))


def with_metrics(settings: Settings, port: int | None, host: str | None) -> Settings:
    """The settings, where flags are given with these."""
    given = {"metrics_port": port, "metrics_host": host}
    return replace(settings, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


def serving(
    app: Postroom, queues: Sequence[str], duties: Sequence[Duty], record: Record | None = None
) -> AbstractContextManager[None]:
    """Serve them while the block runs, where a port is set (postroom/endpoint.py)."""
    if not app.settings.metrics_port:
        return nullcontext()
    found: AbstractContextManager[None] = import_module("postroom.endpoint").serving(app, queues, duties, record)
    return found
