"""JSON Schemas of what travels: of a task's arguments, and of any type that a message may have."""

from typing import Any, NotRequired

import msgspec

from postroom.jobs.models import is_model
from postroom.jobs.signature import Signature, fields


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a type, as msgspec tells it, and pydantic of its models.

    Raises:
        TypeError: JSON Schema has no word for something in it.
    """
    found = msgspec.json.schema(kind, schema_hook=_of_model)
    shared: dict[str, Any] = {}
    return {**_without_definitions(found, shared), **({"$defs": shared} if shared else {})}


def schema_of_call(task: str, signature: Signature) -> dict[str, Any]:
    """The JSON Schema of a task's arguments: an object with a property for each parameter.

    `*args` is one of an array, `**kwargs` one of an object.

    Raises:
        ConfigError: an annotation names what is not there.
    """
    optional = signature.optional
    types = {name: NotRequired[kind] if name in optional else kind for name, kind in signature.collected.items()}
    found = schema_of(fields(task, types))
    name = found.pop("$ref", "").rpartition("/")[2]
    own = found.get("$defs", {}).pop(name, {})
    rest = {key: value for key, value in found.items() if key != "$defs" or value}
    return {**rest, **own}


def _of_model(kind: type) -> dict[str, Any]:
    if not is_model(kind):
        raise NotImplementedError
    model: Any = kind
    return dict(model.model_json_schema(ref_template="#/$defs/{model}"))


def _without_definitions(schema: Any, shared: dict[str, Any]) -> Any:
    """`schema` with the definitions of all within it in `shared`: pydantic writes its own beside each model."""
    if isinstance(schema, list):
        return [_without_definitions(part, shared) for part in schema]
    if not isinstance(schema, dict):
        return schema
    for name, definition in schema.get("$defs", {}).items():
        shared[name] = _without_definitions(definition, shared)
    return {key: _without_definitions(value, shared) for key, value in schema.items() if key != "$defs"}
