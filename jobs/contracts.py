"""Messages by name and version: which version a class is, and how older documents become newer ones.

A version travels beside the call, in `p:messages` of the job's hash, for every message class that the task's signature
names. A reader brings older documents up to its own version, step by step, before they are decoded.
"""

import inspect
from base64 import b64decode
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import inspect as kinds

from postroom.jobs.errors import ConfigError, DecodeError, TooNew

T = TypeVar("T", bound=type)
Step = Callable[[dict[str, Any]], dict[str, Any]]
S = TypeVar("S", bound=Step)
Steps = dict[tuple[str, int], tuple[int, Step]]
"""From a version of a message: to which one, and how."""
Versions = Mapping[str, tuple[int, int]]
"""Name → the version of the messages of this name in a call, and the oldest reader that may read them."""
Change = Callable[[Any, Any], Any]
"""What is made of a document of a type that is described (msgspec.inspect)."""
UNKNOWN = "unknown"
"""The value of an enum's member that stands for all that it does not know."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What a message class says of itself."""

    name: str
    version: int
    min_reader: int
    """The oldest version whose readers may read this one as theirs."""
    kind: type
    aliases: Mapping[str, str] = field(default_factory=dict)
    codec: str = ""
    """What its producers write it in, where their task does not say; '': as the app does."""
    writes: int = 0
    """The version that producers write; 0: their own."""
    reserved: tuple[str, ...] = ()
    """Names of fields that were taken away and may not come back."""

    @property
    def written(self) -> tuple[int, int]:
        """The version that producers write, and the oldest reader of it."""
        return (self.writes, min(self.writes, self.min_reader)) if self.writes else (self.version, self.min_reader)


_contracts: dict[str, Contract] = {}
_by_class: dict[type, Contract] = {}
_steps: Steps = {}
_steps_down: Steps = {}


def message(
    name: str,
    *,
    version: int = 1,
    min_reader: int | None = None,
    aliases: Mapping[str, str] | None = None,
    codec: str = "",
    writes: int | None = None,
    reserved: Collection[str] = (),
) -> Callable[[T], T]:
    """Declare a class as a message: `@message("order.placed", version=3)`.

    Args:
        name: what it is called wherever it is read, whatever its class is called there.
        version: 1 or more; raise it with every change.
        min_reader: the oldest version whose readers may take this one for theirs: what was added can be ignored by
            them. Where not given only readers of this version or a newer one may.
        aliases: old name of a field → its present one, for documents of older versions.
        codec: what calls that may hold it are written in, where the task does not say; '': as the app does.
        writes: the version that producers write, by `downcast`, while readers of older versions live; its own where
            not given.
        reserved: names of fields that were taken away: `postroom check` lets none come back with another meaning.

    Raises:
        ConfigError: a value is wrong, or the name is another class's.
    """
    if not isinstance(name, str) or not name:
        raise ConfigError(f"@message({name!r}): a message's name is a text")
    oldest = version if min_reader is None else min_reader
    written = version if writes is None else writes
    for what, value in (("version", version), ("min_reader", oldest), ("writes", written)):
        if type(value) is not int or not 1 <= value <= version:
            raise ConfigError(f"@message({name!r}): {what}={value!r}: a whole number from 1 to version={version!r}")
    if isinstance(reserved, str) or not all(isinstance(one, str) and one for one in reserved):
        raise ConfigError(f"@message({name!r}): reserved={reserved!r}: give names of fields, e.g. reserved=['total']")

    def declare(kind: T) -> T:
        if not isinstance(kind, type):
            raise ConfigError(f"@message({name!r}) is for a class, not for {kind!r}")
        rival = _contracts.get(name)
        if rival is not None and _place(rival.kind) != _place(kind):
            raise ConfigError(f"two messages are called {name!r}: {_place(rival.kind)} and {_place(kind)}")
        more = (dict(aliases or {}), codec, 0 if written == version else written, tuple(sorted(reserved)))
        _contracts[name] = _by_class[kind] = Contract(name, version, oldest, kind, *more)
        return kind

    return declare


def upcast(name: str, old: int, new: int) -> Callable[[S], S]:
    """Declare how a document of version `old` becomes one of version `new`: a function of a dict that returns a dict.

    Steps are chained. Between versions without a step a document stays as it is.

    Raises:
        ConfigError: the versions are wrong, or there is another step from `old`.
    """
    if type(old) is not int or type(new) is not int or not 1 <= old < new:
        raise ConfigError(f"@upcast({name!r}, {old!r}, {new!r}): give two versions, the older one first")

    return _step(_steps, name, old, new)


def downcast(name: str, new: int, old: int) -> Callable[[S], S]:
    """Declare how a document of version `new` becomes one of version `old`: a function of a dict that returns a dict.

    For producers that write an older version than their own (`@message(…, writes=1)`) while its readers live. Steps
    are chained as upcasts are.

    Raises:
        ConfigError: the versions are wrong, or there is another step from `new`.
    """
    if type(old) is not int or type(new) is not int or not 1 <= old < new:
        raise ConfigError(f"@downcast({name!r}, {new!r}, {old!r}): give two versions, the newer one first")
    return _step(_steps_down, name, new, old)


def _step(steps: Steps, name: str, start: int, end: int) -> Callable[[S], S]:
    def declare(step: S) -> S:
        rival = steps.get((name, start))
        if rival is not None and _place(rival[1]) != _place(step):
            raise ConfigError(f"two steps lead on from {name!r} {start}: {_place(rival[1])} and {_place(step)}")
        steps[name, start] = end, step
        return step

    return declare


def contract_of(kind: Any) -> Contract | None:
    """What a message class says of itself; None for every other."""
    return _by_class.get(kind) if isinstance(kind, type) else None


def contracts() -> list[Contract]:
    """All that are declared, by name."""
    return [_contracts[name] for name in sorted(_contracts)]


def has_step(name: str, version: int) -> bool:
    """Does a step lead on from this version of a message?"""
    return (name, version) in _steps


_Number = Annotated[int, msgspec.Meta(ge=1)]


def stamp(found: Collection[Contract], others: Versions | None = None) -> bytes:
    """What tells a reader the versions of a call's messages.

    Args:
        others: those that are not of our own version.
    """
    versions = {one.name: one.written for one in found}
    return msgspec.json.encode({**versions, **(others or {})}, order="sorted")


def read_stamp(text: bytes) -> Versions:
    """The versions of a call's messages.

    Raises:
        DecodeError: it tells none.
    """
    try:
        return msgspec.json.decode(text, type=dict[str, tuple[_Number, _Number]])
    except msgspec.MsgspecError as error:
        raise DecodeError(f"p:messages={text[:60]!r}: {error}") from error


def brought_up(info: Any, document: Any, versions: Versions) -> Any:
    """`document`, of the type `info` (msgspec.inspect), with every message in it brought up to this reader's version.

    Raises:
        TooNew: one is newer, and may not be read as the version of this reader.
        DecodeError: a step raised.
    """

    def bring(kind: Any, one: Any) -> Any:
        found = message_of(kind, one)
        return _brought_up(found, one, *versions[found.name]) if found and found.name in versions else one

    return with_each(info, document, bring)


def with_each(info: Any, document: Any, change: Change) -> Any:
    """`document`, of the type `info` (msgspec.inspect), with what `change` makes of it and of every part of it."""
    while isinstance(info, kinds.Metadata | kinds.UnionType):
        info = info.type if isinstance(info, kinds.Metadata) else _member(info, document)
    if info is None:  # a part that no type names
        return document
    document = change(info, document)
    if isinstance(document, list | tuple):
        parts = getattr(info, "item_types", None) or (getattr(info, "item_type", None),) * len(document)
        return [with_each(part, item, change) for part, item in zip(parts, document, strict=False)]
    if not isinstance(document, dict):
        return document
    if isinstance(info, kinds.DictType):
        return {key: with_each(info.value_type, value, change) for key, value in document.items()}
    fields = {one.encode_name: one.type for one in getattr(info, "fields", ())}
    return {key: with_each(fields.get(key), value, change) for key, value in document.items()}


def message_of(info: Any, document: Any) -> Contract | None:
    """The contract of a document of this type, where it is one of a message."""
    return contract_of(getattr(info, "cls", None)) if isinstance(document, dict) else None


def known_value(info: Any, document: Any) -> Any:
    """Of an enum with a member `unknown` this member's value, where its class knows no such value: for `with_each`."""
    if not isinstance(info, kinds.EnumType) or not isinstance(document, str | int):
        return document
    values = [one.value for one in info.cls]
    return UNKNOWN if UNKNOWN in values and document not in values else document


def bytes_of_text(info: Any, document: Any) -> Any:
    """Bytes, where JSON has their text: for `with_each`."""
    if isinstance(info, kinds.BytesType | kinds.ByteArrayType) and isinstance(document, str):
        with suppress(ValueError):  # it is none: the check of the call says so, and where
            return b64decode(document, validate=True)
    return document


def _member(union: kinds.UnionType, document: Any) -> Any:
    """Which of a union's types a document is of; among several classes their tag says. A value may be an enum's."""
    if isinstance(document, list):
        return next((one for one in union.types if hasattr(one, "item_type") or hasattr(one, "item_types")), None)
    if not isinstance(document, dict):
        return next((one for one in union.types if isinstance(one, kinds.EnumType)), None)
    for one in union.types:
        if isinstance(one, kinds.StructType) and one.tag is not None and document.get(one.tag_field) == one.tag:
            return one
    return next((one for one in union.types if isinstance(one, kinds.DictType | _CLASSES)), None)


_CLASSES = kinds.StructType | kinds.DataclassType | kinds.TypedDictType | kinds.CustomType


def _brought_up(to: Contract, document: dict[str, Any], version: int, min_reader: int) -> dict[str, Any]:
    if version > to.version:
        if min_reader > to.version:
            raise TooNew(to.name, version, min_reader, to.version)
        return document
    if version == to.version:
        return document
    document = _stepped(_steps, to.name, document, range(version, to.version))
    for old, present in to.aliases.items():
        if old in document and present not in document:
            document = {present if key == old else key: value for key, value in document.items()}
    return document


def brought_down(found: Contract, document: dict[str, Any]) -> dict[str, Any]:
    """The document of a message in the version that producers write.

    Raises:
        DecodeError: a step raised.
    """
    return _stepped(_steps_down, found.name, document, range(found.version, found.written[0], -1))


def _stepped(steps: Steps, name: str, document: dict[str, Any], versions: range) -> dict[str, Any]:
    """The document after all steps that lead on from these versions, in this order."""
    starts = sorted((at for of, at in steps if of == name and at in versions), reverse=versions.step < 0)
    reached = versions.start
    for at in starts:
        if (at - reached) * versions.step < 0:
            continue  # another step has led beyond it
        reached, step = steps[name, at]
        try:
            document = step(dict(document))
        except Exception as error:  # the user's
            raise DecodeError(f"{name} {at}: the step to {reached} raised {type(error).__name__}: {error}") from error
        if not isinstance(document, dict):
            raise DecodeError(f"{name} {at}: the step to {reached} returned {type(document).__name__}, no dict")
    return document


def _place(thing: Any) -> str:
    code = getattr(inspect.unwrap(thing), "__code__", None) if callable(thing) and not isinstance(thing, type) else None
    return f"{code.co_filename}:{code.co_qualname}" if code else f"{thing.__module__}.{thing.__qualname__}"
