"""A task's signature is the schema of its calls: arguments are checked before they are written, read as their types.

Producer and worker do the same: the very bytes of the call are decoded into the annotated types. What passes the
counter will be read.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any, TypedDict
from uuid import UUID

import msgspec
from msgspec import inspect as kinds

from postroom.jobs.annotations import ANYTHING, NotThereYet, parts_of, type_of
from postroom.jobs.codecs import DOCUMENT, JSON, Codec, check_codec, encode_call, schema_codec
from postroom.jobs.contracts import (
    Contract,
    brought_down,
    brought_up,
    bytes_of_text,
    contract_of,
    known_value,
    message_of,
    read_stamp,
    stamp,
    with_each,
)
from postroom.jobs.errors import ConfigError, DecodeError, InvalidMessage
from postroom.jobs.models import dump
from postroom.jobs.origins import Laying, Origins, holds_more
from postroom.jobs.places import told

SHAPES = 256
"""Ways of calling a task (how many arguments by place, which by name) whose decoders are kept."""

_AS_THEY_ARE = (bytes, bytearray, datetime, date, time, timedelta, Decimal, UUID)

Arguments = tuple[Sequence[Any], Mapping[str, Any]]


class Signature:
    """What the annotations of a function say of its calls. Made with `of`.

    Args:
        task: its name, for errors.
    """

    def __init__(self, task: str, function: Callable[..., Any], signature: inspect.Signature) -> None:
        self._task, self._signature = task, signature
        self._names_in_reach = getattr(inspect.unwrap(function), "__globals__", {})
        self._decoder = lru_cache(maxsize=SHAPES)(self._make_decoder)
        self._exact = lru_cache(maxsize=SHAPES)(self._make_exact)
        self._by_schema: dict[str, Codec] = {}
        self._expected: tuple[Callable[[bytes], Any], tuple[str, ...]] | None = None
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
        if all(parameter.annotation in ANYTHING for parameter in signature.parameters.values()):
            return None
        found = cls(task, function, signature)
        try:
            found.types  # noqa: B018
        except NotThereYet:
            return found
        return found

    @cached_property
    def types(self) -> dict[str, Any]:
        """The type of each parameter.

        Raises:
            ConfigError: as `of`; or an annotation names what is not there.
        """
        parameters = self._signature.parameters.items()
        return {name: type_of(f"task {self._task}", one, self._names_in_reach) for name, one in parameters}

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
    def _of_ours(self) -> bytes:
        """The stamp of calls whose messages are of our own versions. A producer may write older ones."""
        return stamp((), {one.name: (one.version, one.min_reader) for one in self.contracts}) if self.contracts else b""

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
            each = " and ".join(f"{name!r} as {codec}" for codec, name in asked.items())
            raise ConfigError(f"task {self._task} takes the messages {each}: say which it is: @app.task(codec=…)")
        return next(iter(asked), "")

    def by_schema(self, codec: str) -> Codec:
        """What writes its calls in `avro` or `protobuf`.

        Raises:
            ConfigError: a parameter's type is none of the codec's, or what it needs is not installed; or as `types`.
        """
        if codec not in self._by_schema:
            if older := [one.name for one in self.contracts if one.writes]:
                raise ConfigError(
                    f"task {self._task}: @message({older[0]!r}, writes=…): the schema of an older version is not known "
                    f"for {codec}: write its calls in json or msgpack until all readers are new"
                )
            bind, check = self._signature.bind, self._check_document
            self._by_schema[codec] = schema_codec(
                codec, self._task, self._signature.parameters, self._infos, bind, check
            )
        return self._by_schema[codec]

    def _check_document(
        self, document: Any, args: Sequence[Any], kwargs: Mapping[str, Any], *, sent_on: bool = False
    ) -> None:
        self.check(document, args, kwargs, DOCUMENT, sent_on=sent_on)

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
        return self._read(*self._ours(data, args, kwargs, stamped, codec))[0]

    def read_with_origins(
        self,
        data: bytes,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        stamped: bytes | None,
        codec: Codec = JSON,
    ) -> tuple[Arguments, Origins | None]:
        """`read`, and what was read from what, for `stamp_of`.

        None where nothing in it is unknown here: it holds no messages, or they are of our own versions.

        Raises:
            DecodeError, TooNew, ConfigError: as `read`.
        """
        ours = self._ours(data, args, kwargs, stamped, codec)
        typed, all_known = self._read(*ours)
        if all_known and (not self.contracts or stamped == self._of_ours):
            return typed, None
        versions = read_stamp(stamped) if stamped else {}
        known = [(one, versions[one.name]) for one in self.contracts if one.name in versions]
        others = any(version[0] != one.version for one, version in known)
        if all_known and not others and not holds_more([list(args), kwargs], codec.plain(typed)):
            return typed, None
        found = Origins(
            codec.plain,
            {one.name: version for one, version in known if version[0] > one.version},
            codec.came(data, self._task),
        )
        # What was brought up is sent on as what it is now.
        as_they_came = codec.split and all(version[0] >= one.version for one, version in known)
        try:
            found.remember_call(typed, ours[1:3], codec.split(data) if codec.split and as_they_came else None)
        except RecursionError as error:
            raise self._too_deep() from error
        return typed, found

    def expect(self, count: int, names: tuple[str, ...]) -> None:
        """Calls are made with so many arguments by place, and these by name: the next one will be, too."""
        if self._by_name.issuperset(names):
            self._expected = self._exact(count, names), names

    def read_expected(self, data: bytes, stamped: bytes | None) -> Arguments | None:
        """`read` for a call in JSON that is made as was expected; None for every other, and for what `read` must judge.

        It takes one decoding, where `read` wants another one before, which tells how the call is made.

        Raises:
            ConfigError: as `types`.
        """
        if self._expected is None or (self._of_ours and stamped != self._of_ours):
            return None
        decode, names = self._expected
        try:
            _, _, by_place, by_name = decode(data)
        except (msgspec.MsgspecError, RecursionError):
            return None
        return by_place, dict(zip(names, msgspec.structs.astuple(by_name), strict=True)) if names else {}

    def stamp_of(self, origins: Origins, laying: Laying, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
        """The stamp of a call with documents that `laying` has laid.

        One that was laid over a newer message is of that version. Where messages of the same name are made here
        besides, all of them are of ours: a newer message that may be read as ours is one of ours, too.
        """
        if not self.contracts:
            return b""
        made, laid = set[str](), set[str]()

        def note(info: Any, document: Any) -> Any:
            if found := message_of(info, document):
                (laid if laying.is_laid(document) else made).add(found.name)
            return document

        self._with_each(args, kwargs, lambda info, value: with_each(info, value, note))
        return stamp(self.contracts, {name: origins.newer[name] for name in (laid - made) & origins.newer.keys()})

    def with_bytes(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Documents of JSON as those of codecs that have a word for bytes."""
        return self._with_each(args, kwargs, lambda info, value: with_each(info, value, bytes_of_text))

    def written(self, data: bytes, stamped: bytes, codec: Codec = JSON) -> bytes:
        """A call as producers write it: messages in the versions that its stamp tells.

        Raises:
            InvalidMessage: a step down raised.
        """
        if not any(one.writes for one in self.contracts):
            return data
        versions = read_stamp(stamped)

        def bring(info: Any, document: Any) -> Any:
            found = message_of(info, document)
            return brought_down(found, document) if found and versions[found.name] == found.written else document

        _, _, args, kwargs = codec.decode(data)
        try:
            brought = self._with_each(args, kwargs, lambda info, one: with_each(info, one, bring))
        except DecodeError as error:
            raise InvalidMessage(f"{self._task}: {error}") from error
        return encode_call(self._task, *brought, codec)

    def check(
        self,
        data: bytes,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        codec: Codec = JSON,
        *,
        sent_on: bool = False,
    ) -> None:
        """Will a worker be able to read this call?

        Args:
            sent_on: what came from elsewhere is in it: values of enums may be unknown here.

        Raises:
            InvalidMessage: no; names the place.
            ConfigError: as `types`.
        """
        try:
            if sent_on:
                _, _, args, kwargs = codec.decode(data)
                self.read(data, args, kwargs, codec=codec)
            else:
                self._decoded(data, args, kwargs, codec)
        except DecodeError as error:
            raise InvalidMessage(str(error)) from error.__cause__

    def _make_decoder(self, count: int, names: tuple[str, ...], codec: Codec) -> Callable[[bytes], Any]:
        try:
            self._signature.bind(*range(count), **dict.fromkeys(names))
        except TypeError as error:  # in Python's words
            raise DecodeError(f"{self._task}: {error}") from None
        by_name = {name: self.types[name if name in self._by_name else self._rest[_BY_NAME]] for name in names}
        return self._decoder_of(count, fields("keywords", by_name), codec)

    def _make_exact(self, count: int, names: tuple[str, ...]) -> Callable[[bytes], Any]:
        """A decoder that takes no call with other names: a TypedDict leaves out what it does not know."""
        there = [(f"f{at}", self.types[name]) for at, name in enumerate(names)]
        renamed = {field: name for (field, _), name in zip(there, names, strict=True)}
        by_name = msgspec.defstruct("keywords", there, rename=renamed, forbid_unknown_fields=True)
        return self._decoder_of(count, by_name, JSON)

    def _decoder_of(self, count: int, by_name: Any, codec: Codec) -> Callable[[bytes], Any]:
        by_place = tuple(self.types[self._name_at(at)] for at in range(count))
        call: Any = tuple.__class_getitem__((str, None, tuple.__class_getitem__(by_place), by_name))
        return codec.decoder(call)

    def _ours(
        self, data: bytes, args: Sequence[Any], kwargs: Mapping[str, Any], stamped: bytes | None, codec: Codec
    ) -> tuple[bytes, Sequence[Any], Mapping[str, Any], Codec]:
        """A call, encoded and plain, whose messages may be read as ours, and what it is written in."""
        if codec.documents is not None:  # its bytes were read to get these
            data, codec = codec.documents.encode([self._task, None, args, kwargs]), codec.documents
        if not stamped or stamped == self._of_ours:
            return data, args, kwargs, codec
        versions = read_stamp(stamped)
        args, kwargs = self._with_each(args, kwargs, lambda info, value: brought_up(info, value, versions))
        return encode_call(self._task, args, kwargs, codec), args, kwargs, codec

    def _read(
        self, data: bytes, args: Sequence[Any], kwargs: Mapping[str, Any], codec: Codec
    ) -> tuple[Arguments, bool]:
        """The arguments, and whether all values of enums are known here: the others are read as `unknown`."""
        try:
            return self._decoded(data, args, kwargs, codec), True
        except DecodeError:
            known = self._with_each(args, kwargs, lambda info, value: with_each(info, value, known_value))
            if known == (args, kwargs):
                raise
        return self._decoded(encode_call(self._task, *known, codec), *known, codec), False

    def _decoded(self, data: bytes, args: Sequence[Any], kwargs: Mapping[str, Any], codec: Codec) -> Arguments:
        try:
            _, _, by_place, by_name = self._decoder(len(args), tuple(kwargs), codec)(data)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise DecodeError(f"{self._task}: {told(error, self._name_at, len(self._by_place))}") from error
        return by_place, by_name

    def _with_each(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], make: Callable[[Any, Any], Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """What `make` makes of the type (as msgspec describes it) and the document of each argument."""
        others = self._infos.get(self._rest.get(_BY_NAME, ""))
        try:
            by_place = [make(self._infos.get(self._name_at(at)), value) for at, value in enumerate(args)]
            return by_place, {name: make(self._infos.get(name, others), value) for name, value in kwargs.items()}
        except RecursionError as error:
            raise self._too_deep() from error

    def _too_deep(self) -> DecodeError:
        return DecodeError(f"{self._task}: its arguments are nested too deeply")

    def _name_at(self, at: int) -> str:
        """The parameter that takes the argument at this place."""
        return self._by_place[at] if at < len(self._by_place) else self._rest.get(inspect.Parameter.VAR_POSITIONAL, "")

    @cached_property
    def _by_name(self) -> set[str]:
        kinds_by_name = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return {name for name, parameter in self._signature.parameters.items() if parameter.kind in kinds_by_name}


_BY_NAME = inspect.Parameter.VAR_KEYWORD


def fields(name: str, types: Mapping[str, Any]) -> Any:
    """A TypedDict of this name and these fields."""
    make: Any = TypedDict
    return make(name, dict(types))


def plain(arguments: Arguments) -> Arguments:
    """Typed arguments as dicts and lists, whose leaves are as the handler has them: for what looks for secrets."""
    args, kwargs = msgspec.to_builtins(arguments, builtin_types=_AS_THEY_ARE, enc_hook=dump)
    return args, kwargs
