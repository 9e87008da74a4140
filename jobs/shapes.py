"""The schema of a task's calls, from the types of its parameters: in the words of Avro
(https://avro.apache.org/docs/1.12.0/specification/), in which Protobuf's is described, too, before it is made.

What JSON writes as a text (times, UUIDs, Decimals) is a text here, too: a document is the same whatever its codec, and
so are the steps between versions. What a call or an object may leave out is a union with `postroom.Absent`, an empty
record, which costs one byte.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from inspect import Parameter
from itertools import chain, count
from typing import Any

from msgspec import inspect as kinds

from postroom.jobs.contracts import contract_of
from postroom.jobs.errors import ConfigError

ABSENT, CALL, BY_PLACE, BY_NAME = "postroom.Absent", "postroom.Call", "postroom.by_place", "postroom.by_name"
NULL = "Null"
"""What Protobuf calls null."""
_ABSENT = {"type": "record", "name": ABSENT, "fields": []}
_NOTHING: Any = (ABSENT, {})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*", re.ASCII)

Fit = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """One type: its schema, and how a document of it is handed to the writer."""

    schema: Any
    branch: str
    """Its name in a union."""
    takes: Callable[[Any], bool]
    """Is this document, which is of one of several types, of this one?"""
    fit: Fit
    branches: tuple["Shape", ...] = ()
    """Of a union."""


def _is(*types: type) -> Callable[[Any], bool]:
    return lambda value: type(value) in types


def _same(value: Any) -> Any:
    return value


_NULL = Shape("null", "null", _is(type(None)), _same)
_BOOLEAN = Shape("boolean", "boolean", _is(bool), _same)
_LONG = Shape("long", "long", _is(int), int)
_DOUBLE = Shape("double", "double", _is(float, int), float)
_STRING = Shape("string", "string", _is(str), _same)
_BYTES = Shape("bytes", "bytes", _is(bytes), _same)
_SCALARS: dict[type, Shape] = {
    kinds.NoneType: _NULL,
    kinds.BoolType: _BOOLEAN,
    kinds.IntType: _LONG,
    kinds.FloatType: _DOUBLE,
    kinds.StrType: _STRING,
    kinds.BytesType: _BYTES,
    kinds.ByteArrayType: _BYTES,
    **dict.fromkeys((kinds.DateTimeType, kinds.DateType, kinds.TimeType, kinds.TimeDeltaType), _STRING),
    **dict.fromkeys((kinds.UUIDType, kinds.DecimalType), _STRING),
}
SCALARS = {shape.branch: shape for shape in (_NULL, _BOOLEAN, _LONG, _DOUBLE, _STRING, _BYTES)}
_OF_VALUES: dict[type, Shape] = {str: _STRING, int: _LONG, bool: _BOOLEAN, type(None): _NULL}

Field = tuple[str, bool, Any]
"""Name, whether it must be there, type (msgspec.inspect)."""


class Shapes:
    """The types of one task's parameters.

    Args:
        task: its name.
        title: the codec's, for errors.
        dotted: may names have dots?
    """

    def __init__(self, task: str, title: str = "Avro", *, dotted: bool = True) -> None:
        self._task, self._title, self._dotted = task, title, dotted
        space = task.rpartition(".")[0]
        self._space = space if _NAME.fullmatch(space) else "postroom"
        self._classes: dict[Any, Shape | None] = {}
        self._names = {ABSENT, NULL, CALL, BY_PLACE, BY_NAME, "Call", "ByPlace", "ByName"}
        self._has_absent = False

    def call(self, parameters: Mapping[str, Parameter], infos: Mapping[str, Any]) -> Shape:
        """The record of a call: the task's name and its arguments: `by_place`, `by_name`, `rest`, `more`.

        By place are those that can be given in no other way.

        Raises:
            ConfigError: a parameter's type is none of Avro's; names it.
        """
        several = any(one.kind is one.VAR_POSITIONAL for one in parameters.values())
        parts: dict[str, list[Field]] = {BY_PLACE: [], BY_NAME: []}
        rest: list[Field] = []
        for name, one in parameters.items():
            if one.kind is one.VAR_POSITIONAL:
                rest.append(("rest", True, kinds.ListType(infos[name])))
            elif one.kind is one.VAR_KEYWORD:
                rest.append(("more", True, kinds.DictType(kinds.StrType(), infos[name])))
            else:
                first = one.kind is one.POSITIONAL_ONLY or (several and one.kind is one.POSITIONAL_OR_KEYWORD)
                parts[BY_PLACE if first else BY_NAME].append((name, one.default is one.empty, infos[name]))
        fields: list[Field] = [("task", True, kinds.StrType())]
        for part, arguments in parts.items():
            if arguments:
                fields.append((part.rpartition(".")[2], True, self._record(part, arguments, self._task)))
        return self._record(CALL, [*fields, *rest], self._task)

    def _of(self, info: Any, place: str) -> Shape:
        match info:
            case Shape():
                found = info
            case kinds.Metadata():
                found = self._of(info.type, place)
            case kinds.UnionType():
                found = self._union([self._of(one, place) for one in info.types], place)
            case kinds.EnumType():
                found = self._union([_OF_VALUES[type(one.value)] for one in info.cls], place)
            case kinds.LiteralType():
                found = self._union([_OF_VALUES[type(value)] for value in info.values], place)
            case kinds.ListType() | kinds.VarTupleType() | kinds.SetType() | kinds.FrozenSetType():
                found = array(self._of(info.item_type, place))
            case kinds.TupleType():
                found = array(self._union([self._of(one, place) for one in info.item_types], place))
            case kinds.NamedTupleType():
                found = array(self._union([self._of(one.type, place) for one in info.fields], place))
            case kinds.DictType():
                found = mapping(self._of(info.value_type, place))
            case kinds.DataclassType() | kinds.TypedDictType() | kinds.StructType(array_like=False):
                found = self._class(info, place)
            case _ if type(info) in _SCALARS:
                found = _SCALARS[type(info)]
            case _:
                what = getattr(info, "cls", type(info)).__name__
                raise ConfigError(
                    f"{place}: {self._title} has no type for {what}: docs/codecs.md has those that it can carry"
                )
        return found

    def _class(self, info: Any, place: str) -> Shape:
        if info.cls in self._classes:
            known = self._classes[info.cls]
            if known is None:
                raise ConfigError(
                    f"{place}: {info.cls.__qualname__} holds itself, which {self._title} cannot carry here"
                )
            return replace(known, schema=known.branch)  # once it is described, its name will do
        self._classes[info.cls] = None
        fields: list[Field] = [(one.encode_name, one.required, one.type) for one in info.fields]
        tag, tag_field = getattr(info, "tag", None), getattr(info, "tag_field", None)
        if tag is not None:
            fields.insert(0, (str(tag_field), True, _OF_VALUES[type(tag)]))
        found = self._record(self._name(info.cls), fields, place)
        if tag is not None:
            found = replace(found, takes=lambda document: type(document) is dict and document.get(tag_field) == tag)
        self._classes[info.cls] = found
        return found

    def _name(self, kind: Any) -> str:
        message = contract_of(kind)
        if self._dotted:
            name = message.name if message and "." in message.name else f"{self._space}.{kind.__name__}"
            name = name if _NAME.fullmatch(name) else f"{self._space}.Record"
        else:
            name = message.name.replace(".", "_") if message else kind.__name__
            name = name if _NAME.fullmatch(name) else "Record"
        others = (f"{name}_{number}" for number in count(2))
        unique = next(one for one in chain((name,), others) if one not in self._names)
        self._names.add(unique)
        return unique

    def _record(self, name: str, fields: Iterable[Field], place: str) -> Shape:
        described: list[dict[str, Any]] = []
        fits: dict[str, Fit] = {}
        for field, must, info in fields:
            inner = f"{place}.{field}"
            if not _NAME.fullmatch(field) or "." in field:
                raise ConfigError(f"{inner}: {field!r} can be no name in {self._title}: letters of ASCII, digits and _")
            absent = None if must else self._absent()  # before what is within: a name stands behind its description
            shape = self._of(info, inner)
            shape = self._union([shape], inner, absent) if absent else shape
            described.append({"name": field, "type": shape.schema, **({} if must else {"default": {}})})
            fits[field] = shape.fit
        return record(name, described, fits)

    def _union(self, shapes: Iterable[Shape], place: str, absent: Any = None) -> Shape:
        found: dict[str, Shape] = {}
        for shape in shapes:
            for one in shape.branches or (shape,):
                if found.setdefault(one.branch, one).schema != one.schema and one.branch in {"array", "map"}:
                    raise ConfigError(f"{place}: in {self._title} a union has one kind of {one.branch} only")
        # A whole number is one, where a float would do as well.
        listed = tuple(sorted(found.values(), key=lambda one: one.branch == "double"))
        if len(listed) == 1 and absent is None:
            return listed[0]
        first = [] if absent is None else [absent]
        return union([*first, *(one.schema for one in listed)], listed)

    def _absent(self) -> Any:
        if self._has_absent:
            return ABSENT
        self._has_absent = True
        return _ABSENT


def record(name: str, described: list[dict[str, Any]], fits: Mapping[str, Fit]) -> Shape:
    """A record with these fields."""

    def fit(document: Mapping[str, Any]) -> dict[str, Any]:
        if strange := document.keys() - fits.keys():
            raise ValueError(f"{name} has no field {min(strange)!r}")
        return {field: one(document[field]) if field in document else _NOTHING for field, one in fits.items()}

    return Shape({"type": "record", "name": name, "fields": described}, name, _is(dict), fit)


def union(schema: Any, listed: tuple[Shape, ...]) -> Shape:
    """One of these, the first that takes a document."""

    def fit(document: Any) -> tuple[str, Any]:
        for one in listed:
            if one.takes(document):
                return one.branch, one.fit(document)
        raise ValueError(f"{type(document).__name__} is none of {', '.join(one.branch for one in listed)}")

    return Shape(schema, "union", lambda _: True, fit, listed)


def array(item: Shape) -> Shape:
    def fit(found: Iterable[Any]) -> list[Any]:
        return [item.fit(one) for one in found]

    return Shape({"type": "array", "items": item.schema}, "array", _is(list, tuple), fit)


def mapping(value: Shape) -> Shape:
    def fit(found: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value.fit(one) for key, one in found.items()}

    return Shape({"type": "map", "values": value.schema}, "map", _is(dict), fit)
