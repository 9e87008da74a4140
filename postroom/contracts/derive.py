"""The JSON Schema of a Python type: what msgspec writes, and what it leaves out.

It gives a datetime and a time a format only where `Meta(tz=…)` is set, and keys of maps none. Without these a change
between `str` and `datetime` would go unseen, and no golden sample could be made.
"""

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import inspect

from postroom.contracts.schema import normal
from postroom.jobs.contracts import contract_of
from postroom.jobs.models import is_model, load

_REFERENCE = "#/$defs/{name}"
_FORMATS: dict[type, str] = {inspect.DateTimeType: "date-time", inspect.TimeType: "time"}
_KEYS: dict[type, dict[str, str]] = {
    inspect.UUIDType: {"format": "uuid"},
    inspect.DateType: {"format": "date"},
    inspect.DecimalType: {"format": "decimal"},
    inspect.IntType: {"pattern": "^-?[0-9]+$"},
    **{kind: {"format": name} for kind, name in _FORMATS.items()},
}
_CLASSES = (inspect.StructType, inspect.DataclassType, inspect.TypedDictType, inspect.NamedTupleType)


def derive(kind: Any) -> dict[str, Any]:
    """The schema of a type, in the form that is compared and locked.

    Raises:
        TypeError: msgspec knows no schema for it, and it is no pydantic model.
    """
    known = inspect.type_info(kind)
    classes: dict[Any, Any] = {}
    _gather(known, classes)
    (root, *references), components = msgspec.json.schema_components(
        [kind, *classes], schema_hook=_model_schema, ref_template=_REFERENCE
    )
    _date(known, root)
    for reference, one in zip(references, classes.values(), strict=True):
        component = components[reference["$ref"].rpartition("/")[2]]
        places = component.get("properties") or component.get("prefixItems", [])
        for at, field in enumerate(one.fields):
            _date(field.type, places[field.encode_name if isinstance(places, dict) else at])
    return normal({**root, "$defs": components})


def aliased(schema: Mapping[str, Any], aliases: Mapping[str, str]) -> dict[str, Any]:
    """The schema of a class whose fields are read under old names, too (old name → present one)."""
    fields = dict(schema.get("properties", {}))
    for name in set(aliases.values()) & fields.keys():
        fields[name] = {**fields[name], "x-aliases": sorted(old for old, now in aliases.items() if now == name)}
    return {**schema, **({"properties": fields} if fields else {})}


def opaque(annotation: Any) -> Any:
    """A type with each message class in it as any object: what that may hold is its own contract's affair."""
    found = contract_of(annotation)
    if found is not None:
        return Annotated[dict[str, Any], msgspec.Meta(extra_json_schema={"x-message": found.name})]
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return Annotated[(opaque(parts[0]), *parts[1:])]
    if origin in {Union, UnionType}:
        return Union[tuple(map(opaque, parts))]  # noqa: UP007
    return origin[tuple(map(opaque, parts))] if origin in {list, tuple, dict, set, frozenset} else annotation


def decode(document: Any, kind: Any) -> Any:
    """A JSON document as a value of a type for which a schema can be derived; raises what the type's decoder raises."""
    return msgspec.convert(document, kind, str_keys=True, dec_hook=load)


def _gather(known: Any, classes: dict[Any, Any]) -> None:
    """The classes in a type, each once."""
    if isinstance(known, _CLASSES):
        if known.cls in classes:
            return
        classes[known.cls] = known
        for field in known.fields:
            _gather(field.type, classes)
    for part in _parts(known):
        _gather(part, classes)


def _parts(known: Any) -> Iterator[Any]:
    for name in ("type", "item_type", "key_type", "value_type"):
        if hasattr(known, name):
            yield getattr(known, name)
    for name in ("item_types", "types"):
        yield from getattr(known, name, ())


def _date(known: Any, node: Any) -> None:
    """Write formats into the part of a schema that is not a class's, for these are done on their own."""
    if not isinstance(node, dict) or "$ref" in node or isinstance(known, _CLASSES):
        return
    if isinstance(known, inspect.Metadata):
        _date(known.type, node)
    elif isinstance(known, inspect.UnionType):
        # Of a union only one alternative can be a text, one an array, one a map.
        for member in known.types:
            for branch in node.get("anyOf", ()):
                _date(member, branch)
    elif type(known) in _FORMATS:
        if node.get("type") == "string" and "enum" not in node:
            node.setdefault("format", _FORMATS[type(known)])
    elif node.get("type") == "array":
        _date(getattr(known, "item_type", None), node.get("items"))
        for item, first in zip(getattr(known, "item_types", ()), node.get("prefixItems", ()), strict=False):
            _date(item, first)
    elif node.get("type") == "object":
        _date(getattr(known, "value_type", None), node.get("additionalProperties"))
        _name(getattr(known, "key_type", None), node)


def _name(key: Any, node: dict[str, Any]) -> None:
    """Write down what a map's keys are: msgspec does so for bounds of texts only."""
    if isinstance(key, inspect.EnumType | inspect.LiteralType):
        listed = [one.value for one in key.cls] if isinstance(key, inspect.EnumType) else key.values
        node["propertyNames"] = {"enum": [str(value) for value in listed]}
    elif type(key) in _KEYS:
        node["propertyNames"] = {"type": "string", **_KEYS[type(key)]}


def _model_schema(kind: Any) -> dict[str, Any]:
    if is_model(kind):
        found: dict[str, Any] = kind.model_json_schema()
        return found
    raise NotImplementedError(kind)
