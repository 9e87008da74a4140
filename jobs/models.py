"""Pydantic's models, told by what they can do: where nobody uses them, nothing of pydantic is imported."""

from typing import Any

import msgspec


def is_model(kind: Any) -> bool:
    """Is this a model class of pydantic, 2 or newer?"""
    return isinstance(kind, type) and hasattr(kind, "model_validate_json") and hasattr(kind, "model_dump")


def dump(value: Any) -> Any:
    """A model, or JSON as it came, as plain values: for msgspec's encoders, which know no models.

    Raises:
        TypeError: it is none.
    """
    if is_model(type(value)):
        return value.model_dump(mode="json", by_alias=True, round_trip=True)
    if isinstance(value, msgspec.Raw):
        return msgspec.json.decode(value)
    raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")


def load(kind: Any, value: Any) -> Any:
    """A model of plain values, for msgspec's decoders.

    Raises:
        TypeError: `kind` is no model.
        ValueError: the model does not take them.
    """
    if is_model(kind):
        # As JSON, by pydantic's rules for it: a strict model takes the text of a time there and nowhere else.
        return kind.model_validate_json(msgspec.json.encode(value))
    raise TypeError(f"no {kind!r} can be read from a message")


def as_document(value: Any) -> Any:
    """A value as a plain document, in which bytes are bytes."""
    return msgspec.to_builtins(value, builtin_types=(bytes,), str_keys=True, enc_hook=dump)
