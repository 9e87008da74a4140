"""What a handler's arguments were read from, so that what it sends on loses nothing that its code does not know.

An object that was read knows nothing of fields that its class has none for. So its document is kept beside it, by the
object's identity, for as long as its job runs: classes with slots, frozen ones and plain dicts need nothing for that.
It is kept where unknown fields can be: in messages of another version than this code's. What the object says otherwise
than when it was read is laid over its document.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from postroom.jobs.contracts import Versions
from postroom.jobs.models import is_model

Plain = Callable[[Any], Any]


class Came(NamedTuple):
    """How a call came."""

    codec: str = "json"
    fingerprint: str = ""
    """Of the schema that it was written with; '': it has none."""
    task: str = ""


_PLAIN = object()
"""The value of a part of which only the document is known: what a model of pydantic holds."""


@dataclass(slots=True)
class Origin:
    """What one object, list or map was read from."""

    value: Any
    """Itself: kept, so that its id stays its own."""
    document: Any
    """As it came."""
    base: Any
    """As this code would have written it then."""
    parts: dict[Any, "Origin"]
    """By the names or places of those of its parts that have parts."""


class Origins:
    """What the arguments of one call were read from.

    Args:
        plain: a value as the plain document that is written of it.
        newer: the messages that are of a newer version than this code's, with their versions and oldest readers.
        came: what the call is written in.
    """

    def __init__(self, plain: Plain, newer: Versions | None = None, came: Came | None = None) -> None:
        self._plain = plain
        self.came = came or Came()
        self.newer: Versions = newer or {}
        self._known: dict[int, Origin] = {}
        self._bytes: dict[int, bytes] = {}

    def remember_call(
        self,
        typed: tuple[Sequence[Any], Mapping[str, Any]],
        plain: tuple[Sequence[Any], Mapping[str, Any]],
        data: tuple[Sequence[bytes], Mapping[str, bytes]] | None,
    ) -> None:
        """The arguments `typed` of a call were read from those that are `plain`.

        Args:
            data: each of them as it came, where that is what was read.
        """
        by_place: Sequence[bytes | None] = data[0] if data else [None] * len(typed[0])
        by_name = data[1] if data else {}
        for value, document, came in zip(typed[0], plain[0], by_place, strict=True):
            self.remember(value, document, came)
        for name, value in typed[1].items():
            self.remember(value, plain[1][name], by_name.get(name))

    def remember(self, value: Any, document: Any, data: bytes | None = None) -> None:
        """`value` was read from `document`.

        Args:
            data: the same, as it came.
        """
        if self._grow(value, document, self._plain(value)) is not None and data is not None:
            self._bytes[id(value)] = data

    def succeed(self, value: Any, other: Any) -> None:
        """`other` stands for what `value` was."""
        if id(value) in self._known:
            found = self._known[id(value)]
            # Under its own id, for as long as it is there.
            self._known[id(other)] = Origin(other, found.document, found.base, found.parts)

    def _grow(self, value: Any, document: Any, base: Any) -> Origin | None:
        if type(document) is not type(base) or not isinstance(base, dict | list) or isinstance(value, set | frozenset):
            return None
        # msgspec leaves a dataclass's default to the class, and writes it only where it was set.
        for name in getattr(value, "__dataclass_fields__", ()):
            if name not in base and hasattr(value, name):
                base[name] = self._plain(getattr(value, name))
        there = document.keys() if isinstance(document, dict) else range(len(document))
        parts = {
            key: part
            for key, child in _members(value, base).items()
            if key in there and (part := self._grow(child, document[key], base[key]))
        }
        found = Origin(value, document, base, parts)
        if value is not _PLAIN and base:  # one empty tuple is all empty tuples
            self._known[id(value)] = found
        return found

    def laying(self, codec: str = "json") -> "Laying":
        """For one call that is sent on, written in `codec`."""
        return Laying(self._plain, self._known, self._bytes if codec == self.came.codec else {})


class Laying:
    """What values say, laid over what they were read from."""

    def __init__(self, plain: Plain, known: Mapping[int, Origin], data: Mapping[int, bytes]) -> None:
        self._plain, self._known, self._data = plain, known, data
        self._laid: dict[int, Any] = {}
        self._made_here: set[int] = set()

    def document(self, value: Any) -> Any:
        """The document of a value: of one that was read, with all that its class does not know."""
        before = len(self._laid)
        found = self._lay(value, self._plain(value), None)
        if len(self._laid) == before:
            self._made_here.add(id(value))
        return found

    def is_laid(self, document: Any) -> bool:
        """Was a part of what this has returned laid over what had been read?"""
        return id(document) in self._laid

    @property
    def is_used(self) -> bool:
        """Was anything of it laid over what had been read?"""
        return bool(self._laid)

    def as_it_came(self, value: Any, document: Any) -> Any:
        """What to send for it: the very bytes that it was read from, where it says the same. Where nothing in it was
        read: itself.
        """
        if id(value) in self._made_here:
            return value
        data = self._data.get(id(value))
        same = data is not None and _same(document, self._known[id(value)].document)
        return msgspec.Raw(data) if data is not None and same else document

    def _lay(self, value: Any, now: Any, origin: Origin | None) -> Any:
        if not isinstance(now, dict | list):
            return now
        children = {} if isinstance(value, set | frozenset) else _members(value, now)
        origin = self._known.get(id(value), origin)
        if origin is None or type(origin.document) is not type(now):
            if isinstance(now, dict):
                return {key: self._lay(children[key], item, None) for key, item in now.items()}
            return [self._lay(children.get(at, _PLAIN), item, None) for at, item in enumerate(now)]
        laid = self._fields(children, now, origin) if isinstance(now, dict) else self._items(children, now, origin)
        self._laid[id(laid)] = laid
        return laid

    def _fields(self, children: Mapping[Any, Any], now: dict[str, Any], origin: Origin) -> dict[str, Any]:
        """Of an object or a map."""
        document, base = origin.document, origin.base
        found = {}
        for name, was in document.items():
            if name in now:
                found[name] = self._part(children[name], now[name], origin, name)
            elif name not in base:
                found[name] = was  # nobody here knows it
        for name, item in now.items():
            # What stands nowhere in the document, and is what it was, is a default.
            if name not in document and not (name in base and _same(item, base[name])):
                found[name] = self._lay(children[name], item, None)
        return found

    def _items(self, children: Mapping[int, Any], now: list[Any], origin: Origin) -> list[Any]:
        """Of a list. An item that was read keeps its own document, wherever it stands. Another one stands for an item
        that is gone: for one that said the same; else, where the list is as long as it was, for the one in its place.
        """
        values = [children.get(at, _PLAIN) for at in range(len(now))]
        here = {id(value) for value in values if value is not _PLAIN}
        gone = {
            at for at in range(len(origin.base)) if at not in origin.parts or id(origin.parts[at].value) not in here
        }
        new = [at for at, value in enumerate(values) if id(value) not in self._known]
        stands_for = _pairs(now, new, origin.base, gone)
        if len(now) == len(origin.base):
            left = gone.difference(stands_for.values())
            stands_for |= {at: at for at in new if at not in stands_for and at in left}
        return [
            self._part(value, item, origin, stands_for[at]) if at in stands_for else self._lay(value, item, None)
            for at, (value, item) in enumerate(zip(values, now, strict=True))
        ]

    def _part(self, value: Any, now: Any, origin: Origin, key: Any) -> Any:
        part = origin.parts.get(key)
        if part is not None:
            return self._lay(value, now, part if type(part.value) is type(value) else None)
        same = key in origin.base if isinstance(origin.base, dict) else True
        return origin.document[key] if same and _same(now, origin.base[key]) else self._lay(value, now, None)


def holds_more(document: Any, base: Any) -> bool:
    """Does a document have a field that is not in what this code would write of what it read there?"""
    with suppress(RecursionError):  # the look below goes to any depth, but takes longer
        if document == base:
            return False
    pairs = [(document, base)]
    while pairs:
        one, other = pairs.pop()
        if isinstance(one, dict) and isinstance(other, dict):
            if not one.keys() <= other.keys():
                return True
            pairs += ((part, other[name]) for name, part in one.items() if isinstance(part, dict | list))
        elif isinstance(one, list) and isinstance(other, list):
            pairs += zip(one, other, strict=False)
    return False


def _pairs(now: Sequence[Any], new: Sequence[int], base: Sequence[Any], gone: Collection[int]) -> dict[int, int]:
    """Of the items `new` those that say what one of those `gone` said, in its place where there is such a one."""
    left: dict[bytes, list[int]] = {}
    for place in sorted(gone, reverse=True):
        left.setdefault(msgspec.json.encode(base[place]), []).append(place)
    found = {}
    for at in new:
        places = left.get(msgspec.json.encode(now[at]))
        if places:
            found[at] = places.pop(places.index(at) if at in places else -1)
    return found


def _members(value: Any, plain: Any) -> dict[Any, Any]:
    """The parts of a value by their names or places in its document."""
    if value is _PLAIN or is_model(type(value)):
        return dict.fromkeys(plain if isinstance(plain, dict) else range(len(plain)), _PLAIN)
    if isinstance(value, Mapping):
        values = value.values() if len(value) == len(plain) else [_PLAIN] * len(plain)  # 1 and "1" are one key
        return dict(zip(plain, values, strict=True))
    if isinstance(value, Sequence):
        return dict(enumerate(value))
    names = getattr(value, "__struct_fields__", None)
    if names is not None and isinstance(plain, list):
        tags = len(plain) - len(names)
        return {at: _PLAIN if at < tags else getattr(value, names[at - tags]) for at in range(len(plain))}
    if names is not None:
        attributes = dict(zip(value.__struct_encode_fields__, names, strict=True))
        return {key: getattr(value, attributes[key]) if key in attributes else _PLAIN for key in plain}
    return {key: getattr(value, key, _PLAIN) for key in plain}


def _same(one: Any, other: Any) -> bool:
    """Do both say the same? `1` and `True` do not, though they are equal; JSON writes null for what is not finite."""
    text = msgspec.json.encode(one)
    return text == msgspec.json.encode(other) and (b"null" not in text or bool(one == other))
