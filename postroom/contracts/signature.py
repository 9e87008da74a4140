"""A task's calls as a schema: an object with a property for each parameter."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from postroom.contracts.derive import decode, derive, opaque
from postroom.contracts.schema import inlined, normal
from postroom.jobs.errors import ConfigError, DecodeError

_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Signature:
    """What calls of one function may look like.

    Args:
        types: of its parameters, as a worker reads them (jobs/signature.py); a parameter that is not named takes
            anything.
    """

    def __init__(self, function: Callable[..., Any], types: Mapping[str, Any]) -> None:
        self._rest: Any = None
        self._places: list[str] = []
        """The parameters that may be given by place."""
        self._only_by_place: list[str] = []
        others = False
        fields: list[Any] = []
        for parameter in inspect.signature(function).parameters.values():
            name = parameter.name
            annotated: Any = opaque(types.get(name, Any))
            if parameter.kind is parameter.VAR_POSITIONAL:
                self._rest = list[annotated]
                continue
            if parameter.kind is parameter.VAR_KEYWORD:
                others = True
                continue
            if parameter.kind in _BY_PLACE:
                self._places.append(name)
            if parameter.kind is parameter.POSITIONAL_ONLY:
                self._only_by_place.append(name)
            if parameter.default is parameter.empty:
                fields.append((name, annotated))
            else:  # which default it is says nothing about calls
                fields.append((name, annotated, msgspec.field(default_factory=_absent)))
        self._type = msgspec.defstruct("Call", fields, kw_only=True, forbid_unknown_fields=not others)

    def schema(self) -> dict[str, Any]:
        """The calls as objects: a property for each parameter, and in which order these may be given by place.

        Raises:
            ConfigError: JSON Schema has no word for a parameter's type.
        """
        try:
            whole = inlined(derive(self._type)) | {"x-positional": self._places}
            rest = derive(self._rest) if self._rest is not None else None
        except TypeError as error:
            raise ConfigError(str(error)) from error
        if self._only_by_place:
            whole["x-positional-only"] = self._only_by_place
        if rest is not None:
            whole |= {"x-rest": rest["items"], "$defs": {**whole.get("$defs", {}), **rest.get("$defs", {})}}
        return normal(whole)

    def check(self, document: Mapping[str, Any]) -> Any:
        """The arguments by name, decoded into their types.

        Raises:
            DecodeError: a value is not of its parameter's type, is missing, or has no parameter.
        """
        try:
            return decode(document, self._type)
        except (ValueError, TypeError, RecursionError) as error:  # msgspec's and pydantic's errors are ValueErrors
            raise DecodeError(str(error)) from error


def _absent() -> Any:
    return msgspec.UNSET
