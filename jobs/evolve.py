"""A changed copy of what a handler got, which is still known for what it was read from."""

import dataclasses
from typing import Any, TypeVar

from postroom.jobs.context import current

T = TypeVar("T")


def evolve(value: T, **changes: Any) -> T:
    """`value` with some fields changed, as an object of its own: what its message held besides is sent on with it.

    What `dataclasses.replace` and its like return is a new object, of which nobody knows what it was made from. Outside
    of a job this is the same as these.

    Args:
        value: a dataclass, `msgspec.Struct`, model of pydantic, named tuple or dict; anything with `__replace__`.

    Raises:
        TypeError: it is none of these, or has no such field.
    """
    other: T = _replaced(value, changes)
    run = current.get(None)
    if run is not None and run.origins is not None:
        run.origins.succeed(value, other)
    return other


def _replaced(value: Any, changes: dict[str, Any]) -> Any:
    if hasattr(type(value), "__replace__"):
        return type(value).__replace__(value, **changes)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(value, **changes)
    if isinstance(value, tuple) and hasattr(value, "_replace"):
        return value._replace(**changes)
    if isinstance(value, dict):
        return {**value, **changes}
    raise TypeError(f"evolve: {type(value).__name__} has no fields that can be changed in a copy")
