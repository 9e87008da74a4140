"""Annotations as the types that messages are read as."""

import inspect
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Union, get_type_hints

import msgspec
from msgspec import inspect as kinds

from postroom.jobs.errors import ConfigError
from postroom.jobs.models import is_model, load

_UNTYPED = "or declare the task with typed=False: then nothing is checked, and the handler gets plain values"


class NotThereYet(ConfigError):
    """An annotation names what is not declared, which may come."""


class _Anything:
    """What says nothing of a value. By identity: an annotation may be anything, also what no `==` can bear."""

    def __contains__(self, annotation: object) -> bool:
        return annotation is Any or annotation is object or annotation is inspect.Parameter.empty


ANYTHING = _Anything()


def type_of(whose: str, parameter: inspect.Parameter, names: Mapping[str, Any]) -> Any:
    """The type of a parameter.

    Args:
        whose: for errors.
        names: what an annotation in quotes may name.

    Raises:
        NotThereYet: it names what is not there.
        ConfigError: it cannot be read from a message.
    """
    if parameter.annotation in ANYTHING:
        return Any
    where = f"{whose}, parameter {parameter.name}"
    try:
        holder = SimpleNamespace(__annotations__={"it": parameter.annotation})
        kind = get_type_hints(holder, dict(names), include_extras=True)["it"]
        if parameter.default is None:
            kind = Union[kind, None]  # noqa: UP007
        strange = unreadable(kind)
        msgspec.json.Decoder(kind, dec_hook=load)
    except NameError as error:
        raise NotThereYet(
            f"{where}: the annotation {parameter.annotation!r} names {error.name!r}, which is not there: import it "
            f"at the top of the module, not for type checkers only, {_UNTYPED}"
        ) from error
    except Exception as error:  # whatever an annotation may raise
        raise ConfigError(
            f"{where}: the annotation {parameter.annotation!r}: {error}. Change it, {_UNTYPED}"
        ) from error
    if strange is not None:
        raise ConfigError(f"{where}: no {strange!r} can be read from a message. Take another type, {_UNTYPED}")
    return kind


def unreadable(kind: Any) -> Any | None:
    """A type within `kind` that no message can be read as; None where there is none.

    Raises:
        NameError: it names what is not there.
        TypeError: it is no type, or a union whose members cannot be told apart.
    """
    found = (one for one in parts_of(kinds.type_info(kind)) if isinstance(one, kinds.CustomType))
    return next((one.cls for one in found if not is_model(one.cls)), None)


def parts_of(root: kinds.Type) -> list[Any]:
    """All that msgspec's description of a type consists of, each once: a type may hold itself."""
    left: list[Any] = [root]
    found: dict[int, Any] = {}
    while left:
        info = left.pop()
        if id(info) not in found:
            found[id(info)] = info
            for name in info.__struct_fields__:
                part = getattr(info, name)
                left += [one for one in (part if isinstance(part, tuple) else (part,)) if isinstance(one, _PARTS)]
    return list(found.values())


_PARTS = (kinds.Type, kinds.Field)
