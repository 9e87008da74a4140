"""The schema of calls that hold what came in one of another version: this code's, with what the writer's has besides.

Records of one name are one record. Written by the writer's own, what is sent on unchanged is the writer's very bytes.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from postroom.jobs.errors import EncodeError
from postroom.jobs.shapes import ABSENT, BY_NAME, BY_PLACE, CALL, SCALARS, Shape, array, mapping, record, union

_ABSENT = {"type": "record", "name": ABSENT, "fields": []}
_OF_CALLS = {CALL, BY_NAME, BY_PLACE}

Records = dict[str, Any]
"""Name → record, in which other records stand by their names."""


def forwarded(own: Any, theirs: Any, *, same_task: bool, exact: bool) -> Shape:
    """The shape of a call of `own` schema that may hold what was written by the schema `theirs`.

    Args:
        same_task: both are of one task.
        exact: with the writer's records as they are; else with room for what either version knows.

    Raises:
        EncodeError: there is none: another program made `theirs`, of types that ours have no use for, or together they
            would hold themselves.
    """
    known, other = records_of(own), records_of(theirs)
    found = {**other, **known}
    for name in known.keys() & other.keys() if same_task else (known.keys() & other.keys()) - _OF_CALLS:
        found[name] = other[name] if exact else _record(known[name], other[name])
    return shape_of(found[CALL], found)


def records_of(schema: Any) -> Records:
    """All records of a schema by their names."""
    found: Records = {}
    _by_name(schema, found)
    return found


def shape_of(root: Any, records: Mapping[str, Any]) -> Shape:
    """What a schema says. Each record is described where it is met first; then its name will do."""
    return _Reading(records).of(root)


class _Reading:
    def __init__(self, records: Mapping[str, Any]) -> None:
        self._records = records
        self._met: dict[str, Shape] = {}
        self._inside: set[str] = set()

    def of(self, schema: Any) -> Shape:
        if isinstance(schema, list):
            return self._union(schema)
        if isinstance(schema, dict) and schema["type"] == "array":
            return array(self.of(schema["items"]))
        if isinstance(schema, dict) and schema["type"] == "map":
            return mapping(self.of(schema["values"]))
        if isinstance(schema, dict):
            return self._record(schema)
        return self._named(schema)

    def _named(self, name: str) -> Shape:
        if name in self._met:
            return replace(self._met[name], schema=name)
        if name in SCALARS:
            return SCALARS[name]
        if name not in self._records:
            raise EncodeError(f"calls have no use for {name!r}")
        return self._record(self._records[name])

    def _union(self, schema: list[Any]) -> Shape:
        absent = []
        if ABSENT in schema:
            absent = [ABSENT if ABSENT in self._met else _ABSENT]
            self._met[ABSENT] = SCALARS["null"]
        shapes = [self.of(one) for one in schema if one != ABSENT]
        listed = tuple(sorted(shapes, key=lambda one: one.branch == "double"))
        return union([*absent, *(one.schema for one in shapes)], listed)

    def _record(self, schema: Any) -> Shape:
        if schema["name"] in self._inside:
            raise EncodeError(f"{schema['name']} holds itself")
        self._inside.add(schema["name"])
        shapes = {one["name"]: self.of(one["type"]) for one in schema["fields"]}
        self._inside.remove(schema["name"])
        described = [{**one, "type": shapes[one["name"]].schema} for one in schema["fields"]]
        needed = {one["name"] for one in schema["fields"] if ABSENT not in _listed(one["type"])}

        def takes(document: Any) -> bool:
            return type(document) is dict and needed <= document.keys() <= shapes.keys()

        found = record(schema["name"], described, {name: shape.fit for name, shape in shapes.items()})
        self._met[schema["name"]] = replace(found, takes=takes)
        return self._met[schema["name"]]


def _by_name(schema: Any, found: Records) -> Any:
    """The same with each record's name in its place."""
    if isinstance(schema, list):
        return [_by_name(one, found) for one in schema]
    if isinstance(schema, str):
        return schema
    if schema["type"] == "array":
        return {**schema, "items": _by_name(schema["items"], found)}
    if schema["type"] == "map":
        return {**schema, "values": _by_name(schema["values"], found)}
    if schema["type"] == "record":
        name = schema["name"]
        if name != ABSENT:
            fields = [{**one, "type": _by_name(one["type"], found)} for one in schema["fields"]]
            found[name] = {"type": "record", "name": name, "fields": fields}
        return name
    return _by_name(schema["type"], found) if isinstance(schema["type"], dict | list) else schema["type"]


def _record(own: Any, theirs: Any) -> Any:
    ours, others = ({one["name"]: one for one in of["fields"]} for of in (own, theirs))
    fields = [
        {**one, "type": _type(ours[name]["type"], one["type"])} if name in ours else _optional(one)
        for name, one in others.items()
    ]
    return {**theirs, "fields": [*fields, *(_optional(one) for name, one in ours.items() if name not in others)]}


def _optional(field: Any) -> Any:
    return {**field, "type": _type(field["type"], [ABSENT]), "default": {}}


def _type(own: Any, theirs: Any) -> Any:
    """The writer's type with what this code's has besides."""
    branches = {_branch(one): one for one in _listed(theirs)}
    for one in _listed(own):
        branch = _branch(one)
        if branch not in branches:
            branches[branch] = one
        elif branch == "array":
            branches[branch] = {**branches[branch], "items": _type(one["items"], branches[branch]["items"])}
        elif branch == "map":
            branches[branch] = {**branches[branch], "values": _type(one["values"], branches[branch]["values"])}
    if ABSENT in branches and _branch(_listed(theirs)[0]) != ABSENT:
        branches = {ABSENT: ABSENT, **branches}
    found = [*branches.values()]
    return found if len(found) > 1 or isinstance(theirs, list) else found[0]


def _listed(schema: Any) -> list[Any]:
    return schema if isinstance(schema, list) else [schema]


def _branch(schema: Any) -> str:
    found: str = schema if isinstance(schema, str) else schema["type"]
    return found
