"""`schemas.lock.json`: every version that was ever released, each with a golden sample. Committed, and only added to.

It holds no dates and is sorted, so that the same app gives the same file and a diff shows what was added. Each
version's digest covers the one before: whoever edits an old version would have to rewrite all that follow.
"""

import hashlib
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from postroom.contracts.modes import DEFAULT, Mode
from postroom.contracts.schema import canonical
from postroom.jobs.errors import ConfigError

FILE = "schemas.lock.json"
_FORMAT = 1
_DIGITS = 32
Key = tuple[str, str]
"""Kind and name of a contract."""


class Version(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version, as it was released."""

    version: int
    schema: dict[str, Any]
    sample: Any
    digest: str = ""
    min_reader: int = 1

    def signed(self, key: Key, before: str) -> "Version":
        """The same with its digest; `before`: the digest of the version before, '' for the first."""
        text = canonical([before, *key, self.version, self.min_reader, self.schema, self.sample])
        return msgspec.structs.replace(self, digest=hashlib.sha256(text.encode()).hexdigest()[:_DIGITS])


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All versions of one message or task, the oldest first."""

    versions: tuple[Version, ...]
    mode: Mode = DEFAULT
    retired: bool = False

    def with_version(self, key: Key, added: Version) -> "Entry":
        """The same with one more version."""
        before = self.versions[-1].digest if self.versions else ""
        return msgspec.structs.replace(self, versions=(*self.versions, added.signed(key, before)), retired=False)

    def edited(self, key: Key) -> int | None:
        """The first version that is not as it was when it was added; None where all are."""
        before = ""
        for known in self.versions:
            if known.signed(key, before).digest != known.digest:
                return known.version
            before = known.digest
        return None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    format: int
    message: dict[str, Entry] = {}
    task: dict[str, Entry] = {}
    avro: dict[str, Any] = {}
    protobuf: dict[str, Any] = {}


@dataclass(frozen=True)
class Lock:
    """What the file says."""

    entries: dict[Key, Entry] = field(default_factory=dict)
    schemas: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Codec → fingerprint → schema that calls were written with: a reader may meet any of them."""

    @classmethod
    def read(cls, path: Path) -> "Lock":
        """The lock of this file; an empty one where there is no file.

        Raises:
            ConfigError: it cannot be read.
        """
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return cls()
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
        try:
            found = msgspec.json.decode(text, type=_File)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is no lock of schemas: {error}. Take it from the last commit") from error
        if found.format != _FORMAT:
            raise ConfigError(f"{path} has format {found.format}, this Postroom reads {_FORMAT}: use the newer one")
        kinds = {"message": found.message, "task": found.task}
        entries = {(kind, name): entry for kind, entries in kinds.items() for name, entry in entries.items()}
        schemas = {"avro": found.avro, "protobuf": found.protobuf}
        return cls(entries, {codec: some for codec, some in schemas.items() if some})

    def write(self, path: Path) -> None:
        """Put it there, whole or not at all.

        Raises:
            ConfigError: it cannot be written.
        """
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            scratch.write_text(self.text())
            scratch.replace(path)
        except OSError as error:
            scratch.unlink(missing_ok=True)
            raise ConfigError(f"{path} cannot be written: {error.strerror}") from error

    def text(self) -> str:
        """The file."""
        kinds: dict[str, dict[str, Any]] = {"message": {}, "task": {}}
        for (kind, name), entry in self.entries.items():
            kinds[kind][name] = msgspec.to_builtins(entry)
        found = {"format": _FORMAT, **kinds, **self.schemas}
        return json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    def but(self, changed: dict[Key, Entry]) -> "Lock":
        """The same with these entries."""
        return replace(self, entries={**self.entries, **changed})

    def lacks(self, schemas: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Those that are not in it."""
        found: dict[str, dict[str, Any]] = {}
        for codec, some in schemas.items():
            for fingerprint in some.keys() - self.schemas.get(codec, {}).keys():
                found.setdefault(codec, {})[fingerprint] = some[fingerprint]
        return found

    def with_schemas(self, schemas: dict[str, dict[str, Any]]) -> "Lock":
        """The same with these besides."""
        both = {codec: {**self.schemas.get(codec, {}), **some} for codec, some in schemas.items()}
        return replace(self, schemas={**self.schemas, **both})
