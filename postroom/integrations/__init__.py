"""Integrations: each a module of its own, imported only where it is wanted."""

import sys

from postroom.jobs.app import Postroom
from postroom.jobs.errors import ConfigError
from postroom.jobs.naming import import_module


def activate(app: Postroom) -> None:
    """Report a worker's failures to Sentry where a DSN is set, or where the app has initialised sentry_sdk itself.

    Raises:
        ConfigError: the DSN cannot be read.
    """
    if app.settings.sentry_dsn or "sentry_sdk" in sys.modules:
        import_module("postroom.integrations.sentry").activate(app)


def activate_tracing(app: Postroom) -> None:
    """Let OpenTelemetry trace an app's jobs, from its producers on, where the setting `otel` is on.

    Raises:
        ConfigError: its API is not installed.
    """
    if not app.settings.otel:
        return
    try:
        import_module("postroom.integrations.otel").instrument(app)
    except ModuleNotFoundError as error:
        raise ConfigError(f"otel needs {error.name}: pip install 'postroom[otel]'") from error
