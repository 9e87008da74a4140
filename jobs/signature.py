"""A task's signature is the schema of its calls: arguments are checked before they are written, read as their types.

Producer and worker do the same: the very bytes of the call are decoded into the annotated types. What passes the
counter will be read.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from types import SimpleNamespace
from typing import Any, TypedDict, Union, get_type_hints
from uuid import UUID

import msgspec
from msgspec import inspect as kinds

from postroom.jobs.codecs import DOCUMENT, JSON, Codec, avro_codec, check_codec, encode_call
from postroom.jobs.contracts import Contract, brought_up, contract_of, read_stamp, stamp
from postroom.jobs.errors import ConfigError, DecodeError, InvalidMessage
from postroom.jobs.models import dump, is_model, load

SHAPES = 256
"""Ways of calling a task (how many arguments by place, which by name) whose decoders are kept."""

_PLACE = re.compile(r"(?P<what>.*) - at `(?P<key>key` in `)?\$\[(?P<part>[23])\](?P<path>.*)`", re.DOTALL)
_AT = re.compile(r"\[(\d+)\](.*)", re.DOTALL)
_AS_THEY_ARE = (bytes, bytearray, datetime, date, time, timedelta, Decimal, UUID)
_UNTYPED = "or declare the task with typed=False: then nothing is checked, and the handler gets plain values"

Arguments = tuple[Sequence[Any], Mapping[str, Any]]


class _NotThereYet(ConfigError):
    """An annotation names what is not declared, which may come."""


class Signature:
    """What the annotations of a function say of its calls. Made with `of`.

    Args:
        task: its name, for errors.
    """

    def __init__(self, task: str, function: Callable[..., Any], signature: inspect.Signature) -> None:
        self._task, self._signature = task, signature
        self._names_in_reach = getattr(inspect.unwrap(function), "__globals__", {})
        self._decoder = lru_cache(maxsize=SHAPES)(self._make_decoder)
        places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = signature.parameters.values()
        self._by_place = [parameter.name for parameter in parameters if parameter.kind in places]
        self._rest = {parameter.kind: parameter.name for parameter in parameters}

    @classmethod
    def of(cls, task: str, function: Callable[..., Any]) -> "Signature | None":
        """The signature of a function; None where no parameter is annotated: then there is nothing to check.

        Raises:
            ConfigError: a parameter's type cannot be read from a message. A name that is not there yet may come, and
                is asked for by `types`.
        """
        signature = inspect.signature(function)
        if all(parameter.annotation in _ANYTHING for parameter in signature.parameters.values()):
            return None
        found = cls(task, function, signature)
        try:
            found.types  # noqa: B018
        except _NotThereYet:
            return found
        return found

    @cached_property
    def types(self) -> dict[str, Any]:
        """The type of each parameter.

        Raises:
            ConfigError: as `of`; or an annotation names what is not there.
        """
        return {name: self._type_of(parameter) for name, parameter in self._signature.parameters.items()}

    @cached_property
    def _infos(self) -> dict[str, Any]:
        """What msgspec says of each type."""
        return {name: kinds.type_info(kind) for name, kind in self.types.items()}

    @cached_property
    def contracts(self) -> list[Contract]:
        """The messages that a call may hold, as they are declared here.

        Raises:
            ConfigError: as `types`.
        """
        parts = (part for info in self._infos.values() for part in parts_of(info))
        found = {one.name: one for part in parts if (one := contract_of(getattr(part, "cls", None)))}
        return [found[name] for name in sorted(found)]

    @cached_property
    def stamp(self) -> bytes:
        """What tells a reader the versions of a call's messages; b'' where it can hold none.

        Raises:
            ConfigError: as `types`.
        """
        return stamp(self.contracts) if self.contracts else b""

    @cached_property
    def codec(self) -> str:
        """The codec that the messages ask for; '' where none does.

        Raises:
            ConfigError: they ask for several, or for one that is not there; or as `types`.
        """
        asked = {one.codec: one.name for one in self.contracts if one.codec}
        for codec, name in asked.items():
            check_codec(f"@message({name!r}): ", codec)
        if len(asked) > 1:
            told = " and ".join(f"{name!r} as {codec}" for codec, name in asked.items())
            raise ConfigError(f"task {self._task} takes the messages {told}: say which it is: @app.task(codec=…)")
        return next(iter(asked), "")

    @cached_property
    def avro(self) -> Codec:
        """What writes its calls in Avro.

        Raises:
            ConfigError: a parameter's type is none of Avro's, or fastavro is not installed; or as `types`.
        """

        def check(document: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
            self.check(document, args, kwargs, DOCUMENT)

        return avro_codec(self._task, self._signature.parameters, self._infos, self._signature.bind, check)

    def read(
        self,
        data: bytes,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        stamped: bytes | None = None,
        codec: Codec = JSON,
    ) -> Arguments:
        """The arguments of a call as the handler gets them.

        Args:
            data: the encoded call.
            args, kwargs: the same, plain: how many they are and what they are called says which types are asked.
            stamped: the producer's `stamp`; None: it told no versions, and ours are meant.
            codec: what `data` is written in.

        Raises:
            DecodeError: they are not what the parameters say; names the place.
            TooNew: a message is of a version that may not be read here.
            ConfigError: as `types`.
        """
        if stamped and stamped != self.stamp:
            codec = codec.documents or codec
            data = self._brought_up(args, kwargs, stamped, codec)
        try:
            _, _, by_place, by_name = self._decoder(len(args), tuple(kwargs), codec)(data)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise DecodeError(f"{self._task}: {self._told(error)}") from error
        return by_place, by_name

    def check(self, data: bytes, args: Sequence[Any], kwargs: Mapping[str, Any], codec: Codec = JSON) -> None:
        """Will a worker be able to read this call?

        Raises:
            InvalidMessage: no; names the place.
            ConfigError: as `types`.
        """
        try:
            self.read(data, args, kwargs, codec=codec)
        except DecodeError as error:
            raise InvalidMessage(str(error)) from error.__cause__

    def _make_decoder(self, count: int, names: tuple[str, ...], codec: Codec) -> Callable[[bytes], Any]:
        try:
            self._signature.bind(*range(count), **dict.fromkeys(names))
        except TypeError as error:  # in Python's words
            raise DecodeError(f"{self._task}: {error}") from None
        by_place = tuple(self.types[self._name_at(at)] for at in range(count))
        by_name = {name: self.types[name if name in self._by_name else self._rest[_BY_NAME]] for name in names}
        call: Any = tuple.__class_getitem__((str, None, tuple.__class_getitem__(by_place), fields("keywords", by_name)))
        return codec.decoder(call)

    def _brought_up(self, args: Sequence[Any], kwargs: Mapping[str, Any], stamped: bytes, codec: Codec) -> bytes:
        versions = read_stamp(stamped)
        by_place = [brought_up(self._infos.get(self._name_at(at)), value, versions) for at, value in enumerate(args)]
        others = self._infos.get(self._rest.get(_BY_NAME, ""))
        by_name = {name: brought_up(self._infos.get(name, others), value, versions) for name, value in kwargs.items()}
        return encode_call(self._task, by_place, by_name, codec)

    def _name_at(self, at: int) -> str:
        """The parameter that takes the argument at this place."""
        return self._by_place[at] if at < len(self._by_place) else self._rest.get(inspect.Parameter.VAR_POSITIONAL, "")

    @cached_property
    def _by_name(self) -> set[str]:
        kinds_by_name = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return {name for name, parameter in self._signature.parameters.items() if parameter.kind in kinds_by_name}

    def _type_of(self, parameter: inspect.Parameter) -> Any:
        if parameter.annotation in _ANYTHING:
            return Any
        where = f"task {self._task}, parameter {parameter.name}"
        try:
            holder = SimpleNamespace(__annotations__={"it": parameter.annotation})
            kind = get_type_hints(holder, self._names_in_reach, include_extras=True)["it"]
            if parameter.default is None:
                kind = Union[kind, None]  # noqa: UP007
            strange = unreadable(kind)
            msgspec.json.Decoder(kind, dec_hook=load)
        except NameError as error:
            raise _NotThereYet(
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

    def _told(self, error: Exception) -> str:
        """What msgspec or pydantic says, with the place in the words of the handler's parameters."""
        match = _PLACE.fullmatch(str(error))
        if match is None:
            return str(error)
        path, what = match["path"].removeprefix("."), match["what"]
        if match["part"] == "2" and (at := _AT.fullmatch(path)):
            number = int(at[1])
            several = number - len(self._by_place)
            path = self._name_at(number) + (f"[{several}]" if several >= 0 else "") + at[2]
        model = getattr(error.__cause__, "errors", None)
        if model is not None:
            first = model()[0]
            what = first["msg"]
            path += "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        return f"{'a key of ' if match['key'] else ''}{path}: {what[:1].lower()}{what[1:]}"


class _Anything:
    """What says nothing of a value. By identity: an annotation may be anything, also what no `==` can bear."""

    def __contains__(self, annotation: object) -> bool:
        return annotation is Any or annotation is object or annotation is inspect.Parameter.empty


_ANYTHING = _Anything()
_BY_NAME = inspect.Parameter.VAR_KEYWORD


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


def fields(name: str, types: Mapping[str, Any]) -> Any:
    """A TypedDict of this name and these fields."""
    make: Any = TypedDict
    return make(name, dict(types))


def plain(arguments: Arguments) -> Arguments:
    """Typed arguments as dicts and lists, whose leaves are as the handler has them: for what looks for secrets."""
    args, kwargs = msgspec.to_builtins(arguments, builtin_types=_AS_THEY_ARE, enc_hook=dump)
    return args, kwargs
