"""What can be set, and where it comes from: flag > environment > `[tool.postroom]` of pyproject.toml > default."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from postroom.jobs.codecs import CODECS
from postroom.jobs.errors import ConfigError
from postroom.jobs.times import MOST


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one app. Times are seconds.

    Each is set by the environment variable `POSTROOM_<NAME>` or by `<name>` in `[tool.postroom]`.
    """

    redis_url: str = ""
    """The server: `redis://`, `rediss://` (TLS), `unix://`, or `embedded`. `REDIS_URL` is read, too."""
    deadline: float = 5.0
    """How long a call tries to reach the server before it raises `Unavailable`."""
    payload_limit: int = 1_000_000
    """The most bytes of one job's encoded call, and of one result."""
    result_ttl: int = 500
    """How long a finished job and its result are kept (RQ's default)."""
    failure_ttl: int = 365 * 86_400
    """How long a dead letter is kept (RQ's default)."""
    keep_finished: int = 100_000
    """How many finished jobs are kept per queue, whatever their age."""
    keep_dead: int = 1_000_000
    """How many dead letters of a queue are kept, besides those that are kept for ever (failure_ttl -1)."""
    canceled_ttl: int = 86_400
    """How long a canceled job is kept."""
    unknown_task_ttl: int = 86_400
    """How long a job waits, from its making on, for a worker that knows its task, before it is a dead letter."""
    codec: str = "json"
    """What calls are written in where neither task nor message says: one of codecs.CODECS."""
    timeout: int = 180
    """How long a job may run where neither task nor call says (RQ's default)."""
    lease: float = 12.0
    """How long a worker process that is not heard of keeps what it claimed."""
    hard_grace: float = 5.0
    """How long a job may go on after its timeout, before its process is killed."""
    code_version: str = ""
    """Which version of the code runs here: dead letters tell it. Where not set, one of CODE_VERSIONS that is."""
    secret_names: str = ""
    """Names of secret arguments besides secrets.NAMES, between commas; with a `=` before them: in their stead."""
    sentry_dsn: str = ""
    """Where workers report failures to Sentry. `SENTRY_DSN` is read, too."""
    sentry_traces: float = 0.0
    """The share of jobs whose traces are sent there, 0 to 1, where the app does not initialise sentry_sdk itself."""
    alerts: str = ""
    """The file of alert rules. Where not set, `postroom-alerts.toml` here or in a folder above, if there is one."""
    events: str = "asked"
    """Whether events are recorded: `asked`: while somebody listens, and a quarter of an hour on; `on`: always."""
    correlation: bool = False
    """Let jobs say which job enqueued them, and what work they are a part of (correlation.py)."""
    otel: bool = False
    """Trace jobs by OpenTelemetry."""
    metrics_port: int = 0
    """Where a pool or scheduler serves metrics and its health over HTTP; 0: nowhere."""
    metrics_host: str = "127.0.0.1"
    """The address that it listens on."""
    concurrency: int = 10
    """Threads of one worker process."""
    coroutines: int = 1000
    """Coroutine jobs that one worker process runs at once."""

    @classmethod
    def load(cls, **flags: Any) -> Self:
        """The settings in force here; `flags` that are None are not set.

        Raises:
            ConfigError: a value of the environment or of pyproject.toml does not read as what it must be.
        """
        set_here = {name: value for name, value in flags.items() if value is not None}
        found = {**_from_pyproject(Path.cwd()), **_from_environ(os.environ), **set_here}
        known = {field.name: field for field in fields(cls)}
        for name in found:
            if name not in known:
                raise ConfigError(f"no setting {name!r}; there are: {', '.join(sorted(known))}")
        return cls(**{name: _read(name, value, type(known[name].default)) for name, value in found.items()})


CODE_VERSIONS = (
    *("SENTRY_RELEASE", "GIT_COMMIT", "GIT_SHA", "SOURCE_VERSION"),
    *("HEROKU_SLUG_COMMIT", "RENDER_GIT_COMMIT", "RAILWAY_GIT_COMMIT_SHA", "K_REVISION"),
)
"""Environment variables in which deployments tell the version of the code."""

_LEAST = {
    "result_ttl": -1,
    "failure_ttl": -1,
    "canceled_ttl": 0,
    "keep_finished": 0,
    "keep_dead": 0,
    "sentry_traces": 0,
    "metrics_port": 0,
    "unknown_task_ttl": 0,
}

_WORDS = {"events": ("asked", "on"), "codec": tuple(CODECS)}


_BOOLS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def _read(name: str, value: Any, kind: type) -> Any:
    if kind is bool:
        if str(value).lower() not in _BOOLS:
            raise ConfigError(f"{name}={value!r}: expected one of {', '.join(_BOOLS)}")
        return _BOOLS[str(value).lower()]
    try:
        read = ",".join(value) if kind is str and isinstance(value, list) else kind(value)
        if kind is int and read != float(value):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"{name}={value!r}: expected {kind.__name__}") from None
    if read not in _WORDS.get(name, (read,)):
        raise ConfigError(f"{name}={value!r}: write one of {', '.join(_WORDS[name])}")
    least = _LEAST.get(name)
    if not isinstance(read, str) and not (read <= MOST and (read > 0 if least is None else read >= least)):
        raise ConfigError(
            f"{name}={value!r}: must be {'more than 0' if least is None else f'at least {least}'}, and at most {MOST:,}"
        )
    return read


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if environ.get("REDIS_URL"):
        found["redis_url"] = environ["REDIS_URL"]
    if environ.get("SENTRY_DSN"):
        found["sentry_dsn"] = environ["SENTRY_DSN"]
    if version := next((environ[name] for name in CODE_VERSIONS if environ.get(name)), ""):
        found["code_version"] = version
    for field in fields(Settings):
        value = environ.get(f"POSTROOM_{field.name.upper()}")
        if value:
            found[field.name] = value
    return found


def _from_pyproject(folder: Path) -> dict[str, Any]:
    for candidate in (folder, *folder.parents):
        path = candidate / "pyproject.toml"
        if path.is_file():
            try:
                return dict(tomllib.loads(path.read_text("utf-8")).get("tool", {}).get("postroom", {}))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
                raise ConfigError(f"{path} cannot be read: {error}") from error
            except (AttributeError, TypeError):
                raise ConfigError(f"{path}: [tool.postroom] is not a table") from None
    return {}
