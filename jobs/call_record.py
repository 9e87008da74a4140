"""A call as the record that schemas describe: the task's name, and its arguments by place and by name."""

from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Any, NamedTuple

from msgspec import UNSET


class Written(NamedTuple):
    """How one task's calls are written."""

    encode: Callable[[Any], bytes]
    fingerprint: str
    """As hexadecimal digits, in the order in which they travel."""
    schema: str
    """As JSON."""
    beside: Callable[..., "Written"] | None = None
    """The same for calls that hold what came by the schema of a fingerprint, with the options of `forwarded`."""


def record(name: str, parameters: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a call; where a part has no place for an argument, another has."""
    several = any(one.kind is one.VAR_POSITIONAL for one in parameters.values())
    found: dict[str, Any] = {"task": name}
    for parameter, one in parameters.items():
        if one.kind is one.VAR_POSITIONAL:
            found["rest"] = [*given.get(parameter, ())]
        elif one.kind is one.VAR_KEYWORD:
            found["more"] = given.get(parameter, {})
        else:
            first = one.kind is one.POSITIONAL_ONLY or (several and one.kind is one.POSITIONAL_OR_KEYWORD)
            part = found.setdefault("by_place" if first else "by_name", {})
            if parameter in given:
                part[parameter] = given[parameter]
    return found


def call(record: Mapping[str, Any]) -> Any:
    """The document `[name, null, args, kwargs]`. Arguments that are absent are `UNSET` in the record, or not in it; all
    that is absent within them is not in it.
    """
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    gap = False
    for name, value in record.get("by_place", {}).items():
        if value is UNSET:
            gap = True
        elif gap:
            kwargs[name] = value
        else:
            args.append(value)
    args += record.get("rest", ())
    kwargs |= record.get("by_name", {})
    kwargs |= record.get("more", {})
    return [record.get("task"), None, args, {key: one for key, one in kwargs.items() if one is not UNSET}]
