"""The file of alert rules: TOML, read once at the start and refused as a whole where anything is wrong in it."""

import base64
import binascii
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from postroom.jobs.errors import ConfigError
from postroom.jobs.options import check_queue_name
from postroom.jobs.times import duration

LOG = "log"
"""The target of notices that needs no declaration."""
MOST_COUNTED = 10_000
"""About as many burials are on record."""

T = TypeVar("T")
_COUNTED = ("dead", "expired")
"""Conditions that are so many jobs within a window."""
_KINDS = (*_COUNTED, "oldest", "no_worker", "needs_upgrade", "scheduler_silent")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Times are seconds."""

    name: str
    kind: str
    """One of _KINDS."""
    limit: float
    """Jobs, or seconds."""
    notify: tuple[str, ...] = (LOG,)
    """`log` and webhooks' names."""
    queue: str = ""
    """'': every queue."""
    within: float = 0.0
    """The window in which jobs are counted."""
    calm: float = 60.0
    """For how long all must be well before it is over."""

    @property
    def lasting(self) -> float:
        """For how long what it watches must be bad before it fires: between two deploys no worker lives for a moment,
        or old ones meet new jobs, and nothing on the server says since when.
        """
        return self.limit if self.kind in {"no_worker", "needs_upgrade"} else 0.0


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where notices are posted."""

    name: str
    url: str
    key: bytes
    """The secret that they are signed with."""
    allow_private: bool = False
    timeout: float = 10.0
    """Seconds for the whole exchange."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a file says."""

    path: Path
    rules: tuple[Rule, ...]
    webhooks: Mapping[str, Webhook]


class _RuleTable(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    dead: int | None = None
    expired: int | None = None
    within: str | None = None
    oldest: str | None = None
    no_worker: str | None = None
    needs_upgrade: str | None = None
    scheduler_silent: str | None = None
    queue: str | None = None
    calm: str = "1m"
    notify: list[str] | None = None


class _WebhookTable(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    url: str
    secret_env: str = ""
    secret_file: str = ""
    allow_private: bool = False
    allow_http: bool = False
    timeout: str = "10s"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    rule: list[dict[str, Any]] = []
    webhook: list[dict[str, Any]] = []
    notify: list[str] = msgspec.field(default_factory=lambda: [LOG])


def read_rules(path: Path) -> Rules:
    """What the file says.

    Raises:
        ConfigError: it cannot be read, or something in it is wrong; the text names file, table, key, value and what to
            do.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    file = _table(f"{path}", document, _File)
    webhooks = _named(path, "webhook", file.webhook, lambda where, table: _webhook(where, table, path.parent))
    rules = _named(path, "rule", file.rule, lambda where, table: _rule(where, table, file.notify))
    for rule in rules.values():
        for target in rule.notify:
            if target != LOG and target not in webhooks:
                known = ", ".join(repr(name) for name in (LOG, *webhooks))
                raise ConfigError(
                    f"{path}: rule {rule.name!r}: notify={target!r}: there are {known}; add a [[webhook]]"
                )
    return Rules(path, tuple(rules.values()), webhooks)


def _named(
    path: Path, what: str, tables: Iterable[dict[str, Any]], read: Callable[[str, dict[str, Any]], T]
) -> dict[str, T]:
    named: dict[str, T] = {}
    for number, table in enumerate(tables, 1):
        name = table.get("name")
        if not name or not isinstance(name, str) or not name.isprintable():
            raise ConfigError(f"{path}: {what} number {number}: name={name!r}: give it a name, a text on one line")
        if name in named:
            raise ConfigError(f"{path}: two {what}s have name={name!r}: give one of them another name")
        named[name] = read(f"{path}: {what} {name!r}", table)
    return named


def _table(where: str, table: dict[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        at = re.search(r" - at `\$\.(\w+)", str(error))
        value = f"{at[1]}={table.get(at[1])!r}: " if at else ""
        fields = ", ".join(kind.__struct_fields__)  # type: ignore[attr-defined]
        raise ConfigError(f"{where}: {value}{error}; there may be: {fields}") from error


def _rule(where: str, table: dict[str, Any], notify: list[str]) -> Rule:
    read = _table(where, table, _RuleTable)
    kinds = [kind for kind in _KINDS if getattr(read, kind) is not None]
    if len(kinds) != 1:
        raise ConfigError(f"{where}: has {' and '.join(kinds) or 'no condition'}: give it one of {', '.join(_KINDS)}")
    kind = kinds[0]
    if (kind in _COUNTED) != (read.within is not None):
        raise ConfigError(
            f'{where}: within={read.within!r}: dead=20 or expired=20 takes a window, within="5m", and nothing else does'
        )
    if read.queue is not None and kind == "scheduler_silent":
        raise ConfigError(f"{where}: queue={read.queue!r}: the scheduler is one for all queues, leave it out")
    if read.queue is not None:
        try:
            check_queue_name(read.queue)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None
    count = read.dead if read.expired is None else read.expired
    if count is not None and not 1 <= count <= MOST_COUNTED:
        raise ConfigError(f"{where}: {kind}={count}: give 1 to {MOST_COUNTED:,}, more are not on record")
    targets = tuple(notify if read.notify is None else read.notify)
    if not targets:
        raise ConfigError(f'{where}: notify=[]: nobody would hear of it; write e.g. notify=["{LOG}"]')
    return Rule(
        read.name,
        kind,
        limit=float(count) if count is not None else _seconds(where, kind, getattr(read, kind)),
        notify=targets,
        queue=read.queue or "",
        within=_seconds(where, "within", read.within) if read.within is not None else 0.0,
        calm=_seconds(where, "calm", read.calm, least=0.0),
    )


def _webhook(where: str, table: dict[str, Any], folder: Path) -> Webhook:
    read = _table(where, table, _WebhookTable)
    if read.name == LOG:
        raise ConfigError(f"{where}: name={LOG!r} is the log's: give it another name")
    try:
        url = urlsplit(read.url)
        host = (url.hostname or "").encode("idna")
        usable = host and url.scheme in {"http", "https"} and url.port != 0
    except ValueError:
        usable = False
    # What is not printable ASCII could end the request's line and begin another one.
    if not usable or not re.fullmatch(r"[!-~]+", read.url):
        raise ConfigError(f"{where}: url={read.url!r}: write https://host/path")
    if url.username is not None:
        raise ConfigError(f"{where}: url has a user's name in it: leave it out, notices are signed")
    if url.scheme == "http" and not read.allow_http:
        raise ConfigError(f"{where}: url={read.url!r}: use https, or allow_http = true where nobody can listen")
    timeout = _seconds(where, "timeout", read.timeout)
    if timeout > 60:
        raise ConfigError(f"{where}: timeout={read.timeout!r}: give 60s at most")
    return Webhook(read.name, read.url, _key(where, read, folder), read.allow_private, timeout)


def _key(where: str, read: _WebhookTable, folder: Path) -> bytes:
    """The key of the secret, written as https://www.standardwebhooks.com says. No error tells the secret."""
    if bool(read.secret_env) == bool(read.secret_file):
        raise ConfigError(f"{where}: give it secret_env, a variable's name, or secret_file: the secret stands there")
    if read.secret_env:
        source, secret = f"secret_env={read.secret_env!r}", os.environ.get(read.secret_env, "")
    else:
        source = f"secret_file={read.secret_file!r}"
        try:
            secret = (folder / read.secret_file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{where}: {source} cannot be read: {type(error).__name__}") from None
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ConfigError(
            f"{where}: {source}: there must stand whsec_ and the base64 of 24 to 64 random bytes; to make one: "
            "python -c 'import base64, os; print(\"whsec_\" + base64.b64encode(os.urandom(32)).decode())'"
        )
    return key


def _seconds(where: str, field: str, text: str, least: float = 0.001) -> float:
    try:
        found = duration(text)
    except ValueError as error:
        raise ConfigError(f"{where}: {field}: {error}") from None
    if found < least:
        raise ConfigError(f"{where}: {field}={text!r}: must be more than 0")
    return found
