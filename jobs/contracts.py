"""Messages by name and version: which version a class is, and how older documents become newer ones.

A version travels beside the call, in `p:messages` of the job's hash, for every message class that the task's signature
names. A reader brings older documents up to its own version, step by step, before they are decoded.
"""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from msgspec import inspect as kinds

from postroom.jobs.errors import ConfigError, DecodeError, TooNew

T = TypeVar("T", bound=type)
Step = Callable[[dict[str, Any]], dict[str, Any]]
S = TypeVar("S", bound=Step)
Versions = Mapping[str, tuple[int, int]]
"""Name → the version of the messages of this name in a call, and the oldest reader that may read them."""


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


_contracts: dict[str, Contract] = {}
_by_class: dict[type, Contract] = {}
_steps: dict[tuple[str, int], tuple[int, Step]] = {}


def message(
    name: str,
    *,
    version: int = 1,
    min_reader: int | None = None,
    aliases: Mapping[str, str] | None = None,
    codec: str = "",
) -> Callable[[T], T]:
    """Declare a class as a message: `@message("order.placed", version=3)`.

    Args:
        name: what it is called wherever it is read, whatever its class is called there.
        version: 1 or more; raise it with every change.
        min_reader: the oldest version whose readers may take this one for theirs: what was added can be ignored by
            them. Where not given only readers of this version or a newer one may.
        aliases: old name of a field → its present one, for documents of older versions.
        codec: what calls that may hold it are written in, where the task does not say; '': as the app does.

    Raises:
        ConfigError: a value is wrong, or the name is another class's.
    """
    if not isinstance(name, str) or not name:
        raise ConfigError(f"@message({name!r}): a message's name is a text")
    oldest = version if min_reader is None else min_reader
    for what, value in (("version", version), ("min_reader", oldest)):
        if type(value) is not int or not 1 <= value <= version:
            raise ConfigError(f"@message({name!r}): {what}={value!r}: a whole number from 1 to version={version!r}")

    def declare(kind: T) -> T:
        if not isinstance(kind, type):
            raise ConfigError(f"@message({name!r}) is for a class, not for {kind!r}")
        rival = _contracts.get(name)
        if rival is not None and _place(rival.kind) != _place(kind):
            raise ConfigError(f"two messages are called {name!r}: {_place(rival.kind)} and {_place(kind)}")
        _contracts[name] = _by_class[kind] = Contract(name, version, oldest, kind, dict(aliases or {}), codec)
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

    def declare(step: S) -> S:
        rival = _steps.get((name, old))
        if rival is not None and _place(rival[1]) != _place(step):
            raise ConfigError(f"two steps lead on from {name!r} {old}: {_place(rival[1])} and {_place(step)}")
        _steps[name, old] = new, step
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


def stamp(found: Collection[Contract]) -> bytes:
    """What tells a reader the versions of a call's messages."""
    return msgspec.json.encode({one.name: (one.version, one.min_reader) for one in found}, order="sorted")


def read_stamp(text: bytes) -> Versions:
    """The versions of a call's messages.

    Raises:
        DecodeError: it tells none.
    """
    try:
        return msgspec.json.decode(text, type=dict[str, tuple[int, int]])
    except msgspec.MsgspecError as error:
        raise DecodeError(f"p:messages={text[:60]!r}: {error}") from error


def brought_up(info: Any, document: Any, versions: Versions) -> Any:
    """`document`, of the type `info` (msgspec.inspect), with every message in it brought up to this reader's version.

    Raises:
        TooNew: one is newer, and may not be read as the version of this reader.
        DecodeError: a step raised.
    """
    if isinstance(info, kinds.Metadata):
        return brought_up(info.type, document, versions)
    if isinstance(info, kinds.UnionType):
        return brought_up(_member(info, document), document, versions)
    if isinstance(document, list):
        parts = getattr(info, "item_types", None) or (getattr(info, "item_type", None),) * len(document)
        return [brought_up(part, item, versions) for part, item in zip(parts, document, strict=False)]
    if not isinstance(document, dict):
        return document
    if isinstance(info, kinds.DictType):
        return {key: brought_up(info.value_type, value, versions) for key, value in document.items()}
    found = contract_of(getattr(info, "cls", None))
    if found is not None and found.name in versions:
        document = _brought_up(found, document, *versions[found.name])
    fields = {one.encode_name: one.type for one in getattr(info, "fields", ())}
    return {key: brought_up(fields.get(key), value, versions) for key, value in document.items()}


def _member(union: kinds.UnionType, document: Any) -> Any:
    """Which of a union's types a document is of; among several classes their tag says."""
    if isinstance(document, list):
        return next((one for one in union.types if hasattr(one, "item_type") or hasattr(one, "item_types")), None)
    if not isinstance(document, dict):
        return None
    for one in union.types:
        if isinstance(one, kinds.StructType) and one.tag is not None and document.get(one.tag_field) == one.tag:
            return one
    return next((one for one in union.types if isinstance(one, kinds.DictType | _CLASSES)), None)


_CLASSES = kinds.StructType | kinds.DataclassType | kinds.TypedDictType | kinds.CustomType


def _brought_up(to: Contract, document: dict[str, Any], version: int, min_reader: int) -> dict[str, Any]:
    if version > to.version:
        if min_reader > to.version:
            raise TooNew(
                f"message {to.name} of version {version}, which needs a reader of version {min_reader}: "
                f"this worker's code has version {to.version}"
            )
        return document
    if version == to.version:
        return document
    at = version
    while at < to.version:
        after, step = _steps.get((to.name, at), (at + 1, None))
        if step is not None:
            try:
                document = step(dict(document))
            except Exception as error:  # the user's
                raise DecodeError(
                    f"{to.name} {at}: the step to {after} raised {type(error).__name__}: {error}"
                ) from error
            if not isinstance(document, dict):
                raise DecodeError(f"{to.name} {at}: the step to {after} returned {type(document).__name__}, no dict")
        at = after
    for old, present in to.aliases.items():
        if old in document and present not in document:
            document = {present if key == old else key: value for key, value in document.items()}
    return document


def _place(thing: Any) -> str:
    code = getattr(inspect.unwrap(thing), "__code__", None) if callable(thing) and not isinstance(thing, type) else None
    return f"{code.co_filename}:{code.co_qualname}" if code else f"{thing.__module__}.{thing.__qualname__}"
