"""A task's signature as a schema, and calls bound to it: what Python does with the arguments, and their types."""

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

import msgspec

from postroom.contracts.derive import decode, derive, opaque, supported
from postroom.contracts.schema import inlined, normal
from postroom.jobs.errors import DecodeError

_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Signature:
    """What calls of one function may look like.

    A parameter whose annotation is missing, cannot be resolved, or is of a type that msgspec has no schema for, takes
    anything.
    """

    def __init__(self, function: Callable[..., Any], *, typed: bool = True) -> None:
        parameters = inspect.signature(function).parameters.values()
        types = _annotations(function) if typed else {}
        self._rest: Any = None
        self._others = False
        self.places: list[str] = []
        """The parameters that may be given by place."""
        self.only_by_place: list[str] = []
        self.required = frozenset[str]()
        fields: list[Any] = []
        for parameter in parameters:
            name, annotated = parameter.name, _supported(opaque(types.get(parameter.name, Any)))
            if parameter.default is None:  # `note: str = None` is written by many who mean it
                annotated = Optional[annotated]  # noqa: UP045  of None, too
            if parameter.kind is parameter.VAR_POSITIONAL:
                self._rest = list[annotated]  # type: ignore[valid-type]
                continue
            if parameter.kind is parameter.VAR_KEYWORD:
                self._others = True
                continue
            if parameter.kind in _BY_PLACE:
                self.places.append(name)
            if parameter.kind is parameter.POSITIONAL_ONLY:
                self.only_by_place.append(name)
            if parameter.default is parameter.empty:
                self.required |= {name}
                fields.append((name, annotated))
            else:  # which default it is says nothing about calls
                fields.append((name, annotated, msgspec.field(default_factory=_absent)))
        self.names = frozenset(field[0] for field in fields)
        self._type = msgspec.defstruct("Call", fields, kw_only=True, forbid_unknown_fields=not self._others)

    def schema(self) -> dict[str, Any]:
        """The calls as objects: a property for each parameter, and in which order these may be given by place."""
        whole = inlined(derive(self._type)) | {"x-positional": self.places}
        if self.only_by_place:
            whole["x-positional-only"] = self.only_by_place
        if self._rest is not None:
            rest = derive(self._rest)
            whole |= {"x-rest": rest["items"], "$defs": {**whole.get("$defs", {}), **rest.get("$defs", {})}}
        return normal(whole)

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any], *, typed: bool = True) -> dict[str, Any]:
        """The arguments of a call by the names of their parameters.

        Args:
            typed: check their types, too.

        Raises:
            DecodeError: Python would refuse the call, or a value is not of its parameter's type.
        """
        bound = dict(zip(self.places, args, strict=False))
        rest = args[len(self.places) :]
        if rest and self._rest is None:
            raise DecodeError(f"takes {len(self.places)} arguments by place, the call has {len(args)}")
        if kwargs:
            twice = bound.keys() & kwargs.keys()
            if twice:
                raise DecodeError(f"gets `{min(twice)}` twice")
            bound.update(kwargs)
        if typed:
            self.check(bound)
            if rest:
                _convert(list(rest), self._rest)
        elif not self.required <= bound.keys():
            raise DecodeError(f"the call has no `{min(self.required - bound.keys())}`")
        if not self._others and not bound.keys() <= self.names:
            raise DecodeError(f"takes no `{min(bound.keys() - self.names)}`")
        by_name = [name for name in self.only_by_place if name in kwargs]
        if by_name and not self._others:
            raise DecodeError(f"takes `{by_name[0]}` by place only")
        return bound

    def check(self, document: Mapping[str, Any]) -> Any:
        """The arguments by name, decoded into their types.

        Raises:
            DecodeError: a value is not of its parameter's type, is missing, or has no parameter.
        """
        return _convert(document, self._type)


def _convert(document: Any, wanted: Any) -> Any:
    try:
        return decode(document, wanted)
    except (ValueError, TypeError, RecursionError) as error:  # msgspec's and pydantic's errors are ValueErrors
        raise DecodeError(str(error)) from error


def _absent() -> Any:
    return msgspec.UNSET


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception:  # a name that is imported for type checkers only, say
        return {}


def _supported(annotation: Any) -> Any:
    return annotation if supported(annotation) else Any
