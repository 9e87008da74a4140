"""What can be set, and where it comes from: flag > environment > `[tool.postroom]` of pyproject.toml > default."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from postroom.jobs.errors import ConfigError


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
    canceled_ttl: int = 86_400
    """How long a canceled job is kept."""
    timeout: int = 180
    """How long a job may run where neither task nor call says (RQ's default)."""
    lease: float = 12.0
    """How long a worker process that is not heard of keeps what it claimed."""
    concurrency: int = 10
    """Threads of one worker process."""

    @classmethod
    def load(cls, **flags: Any) -> Self:
        """The settings in force here; `flags` that are None are not set.

        Raises:
            ConfigError: a value of the environment or of pyproject.toml does not read as what it must be.
        """
        found = {**_from_pyproject(Path.cwd()), **_from_environ(os.environ)}
        known = {field.name: field for field in fields(cls)}
        for name in found:
            if name not in known:
                raise ConfigError(f"[tool.postroom] has no setting {name!r}; there are: {', '.join(sorted(known))}")
        values = {name: _read(name, value, type(known[name].default)) for name, value in found.items()}
        return replace(cls(**values), **{name: value for name, value in flags.items() if value is not None})


def _read(name: str, value: Any, kind: type) -> Any:
    try:
        read = kind(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{name}={value!r}: expected {kind.__name__} ({Settings.__name__}.{name})") from None
    if kind is not str and read < 0:
        raise ConfigError(f"{name}={value!r}: must not be negative")
    return read


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if environ.get("REDIS_URL"):
        found["redis_url"] = environ["REDIS_URL"]
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
                table = tomllib.loads(path.read_text()).get("tool", {}).get("postroom", {})
            except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
                raise ConfigError(f"{path} cannot be read: {error}") from error
            return dict(table)
    return {}
