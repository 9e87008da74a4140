"""Bytes ↔ values: what travels in a job's `data` and `result`.

The content type of a message is a field of its own, `p:type`, and nothing is sniffed. One exception is not ours to
make: where RQ has saved a hash, `data` may be zlib-compressed, and RQ itself falls back to the raw bytes
(rq.job.Job.restore). Whatever the codec, a call is the document `[name, null, args, kwargs]`. Results are JSON, for
RQ's readers.
"""

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import Any

import msgspec

from postroom.jobs.errors import ConfigError, DecodeError, EncodeError, UnknownSchema
from postroom.jobs.models import as_document, dump, load
from postroom.jobs.origins import Came
from postroom.jobs.schema_lock import learn_locked

GLIMPSE = 12
"""Bytes that errors show of what cannot be read: enough to tell formats apart, too few to reach an argument."""

_FAILS = (TypeError, ValueError, OverflowError, RecursionError, MemoryError)


@dataclass(frozen=True, slots=True, eq=False)
class Codec:
    """One way to write documents as bytes. What fails raises one of _FAILS."""

    name: str
    """What `p:type` says."""
    media_type: str
    """Its name among all content types: `p:type` may say this, too."""
    title: str
    """Its name in texts."""
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    """Bytes → plain document."""
    decoder: Callable[[Any], Callable[[bytes], Any]]
    """A type → what reads bytes as this type."""
    plain: Callable[[Any], Any]
    """A value → the plain document that is read of what is written of it."""
    split: Callable[[bytes], tuple[list[bytes], dict[str, bytes]]] | None = None
    """A call → each of its arguments as it stands in there, by place and by name; None: they cannot be moved."""
    mark: slice | None = None
    """Where in its bytes the fingerprint of their schema stands."""
    documents: "Codec | None" = None
    """What its documents are read as; None: they are read again, by their types."""
    of_task: Callable[[str, Any], "Codec"] | None = None
    """A task's name and signature → the codec of its calls, where it needs to know them."""
    schema: tuple[str, str] | None = None
    """What its bytes cannot be read without: fingerprint and text."""
    beside: Callable[..., "Codec"] | None = None
    """The same for calls that hold what came by the schema of a fingerprint, with the options of `forwarded`."""

    def came(self, data: bytes, task: str) -> Came:
        """How a call of a task came, for `beside`."""
        return Came(self.name, data[self.mark].hex() if self.mark else "", task)


def _no_extension(code: int, _: memoryview) -> Any:
    raise ValueError(f"extension type {code} is not known here")


@cache
def _module(codec: str) -> Any:
    """By name: what a codec needs is for those alone who use it. It knows the schemas of the lock.

    Raises:
        ConfigError: it is not installed, or the lock cannot be read.
    """
    try:
        module = import_module(f"postroom.jobs.{codec}")
    except ModuleNotFoundError as error:
        raise ConfigError(f"the codec {codec} needs {error.name}: pip install 'postroom[{codec}]'") from error
    learn_locked(codec, module.learn_locked)
    return module


def _by_schema(codec: str) -> Callable[[str, Any], "Codec"]:
    def of(task: str, signature: Any) -> Codec:
        if signature is None:
            raise ConfigError(
                f"{task}: codec={codec!r} needs the types of its parameters: annotate them, enqueue it where its code "
                "is imported, or take another codec"
            )
        found: Codec = signature.by_schema(codec)
        return found

    return of


def _of_no_task(_: Any) -> bytes:
    raise ValueError("there is no schema without a task's signature")


def _splitter(decoder: Any) -> Callable[[bytes], tuple[list[bytes], dict[str, bytes]]]:
    decode = decoder(tuple[str, None, list[msgspec.Raw], dict[str, msgspec.Raw]]).decode

    def split(data: bytes) -> tuple[list[bytes], dict[str, bytes]]:
        _, _, by_place, by_name = decode(data)
        return [bytes(one) for one in by_place], {name: bytes(one) for name, one in by_name.items()}

    return split


_encode = msgspec.json.Encoder(enc_hook=dump).encode
_decode = msgspec.json.Decoder().decode
_pack = msgspec.msgpack.Encoder(enc_hook=dump).encode
_unpack = msgspec.msgpack.Decoder(ext_hook=_no_extension).decode
JSON = Codec(
    *("json", "application/json", "JSON", _encode, _decode),
    lambda kind: msgspec.json.Decoder(kind, dec_hook=load).decode,
    lambda value: _decode(_encode(value)),
    _splitter(msgspec.json.Decoder),
)
"""RQ's JSONSerializer writes the same. The default."""
MSGPACK = Codec(
    *("msgpack", "application/vnd.msgpack", "MessagePack", _pack, _unpack),
    lambda kind: msgspec.msgpack.Decoder(kind, dec_hook=load, ext_hook=_no_extension).decode,
    lambda value: _unpack(_pack(value)),
    _splitter(msgspec.msgpack.Decoder),
)
"""MessagePack with its timestamps: bytes and times travel as such."""
DOCUMENT = Codec(
    *("document", "", "a document", lambda call: call, lambda call: call),
    lambda kind: lambda call: msgspec.convert(call, kind, str_keys=True, dec_hook=load),
    as_document,
)
"""Not written at all."""
AVRO = Codec(
    *("avro", "application/avro", "Avro", _of_no_task, lambda data: _module("avro").decode(data)),
    DOCUMENT.decoder,
    as_document,
    mark=slice(2, 10),
    documents=DOCUMENT,
    of_task=_by_schema("avro"),
)
"""Avro; each task has a schema of its own."""
PROTOBUF = Codec(
    *("protobuf", "application/protobuf", "Protobuf", _of_no_task, lambda data: _module("protobuf").decode(data)),
    DOCUMENT.decoder,
    as_document,
    mark=slice(1, 9),
    documents=DOCUMENT,
    of_task=_by_schema("protobuf"),
)
"""Protobuf; likewise."""

CODECS = {codec.name: codec for codec in (JSON, MSGPACK, AVRO, PROTOBUF)}
_BY_TYPE: dict[str | None, Codec] = {
    None: JSON,  # of a message of RQ's JSON serializer
    **{kind: codec for codec in CODECS.values() for kind in (codec.name, codec.media_type)},
}


def check_codec(where: str, name: object) -> None:
    """Raises:
    ConfigError: no codec is called so.
    """
    if not isinstance(name, str) or name not in CODECS:
        raise ConfigError(f"{where}codec={name!r}: write one of {', '.join(CODECS)}")


def schema_codec(codec: str, task: str, *signature: Any) -> Codec:
    """What writes the calls of a task by its own schema; `signature`: as of avro.written.

    Raises:
        ConfigError: a type is none of the codec's, or what it needs is not installed.
    """
    return _by(CODECS[codec], _module(codec).written(task, *signature))


def _by(codec: Codec, written: Any) -> Codec:
    def beside(fingerprint: str, **how: bool) -> Codec:
        return _by(codec, written.beside(fingerprint, **how))

    return replace(codec, encode=written.encode, schema=(written.fingerprint, written.schema), beside=beside)


def learn_schema(codec: str, fingerprint: str, text: bytes) -> None:
    """Take up the schema of an UnknownSchema.

    Raises:
        DecodeError: it is none, or another one.
    """
    found = _module(codec).learn(text).hex()
    if found != fingerprint:
        raise DecodeError(f"what is kept as the schema {fingerprint} is {found}")


def schema_of(stored: Mapping[bytes, bytes]) -> str:
    """The fingerprint of the schema that a job's data was written with; '' where it needs none."""
    codec = _BY_TYPE.get((stored.get(b"p:type") or b"json").decode(errors="replace"))
    return codec.came(stored.get(b"data", b""), "").fingerprint if codec else ""


def codec_of(content_type: str | None) -> Codec:
    """What reads messages of a content type; None: it has none, and RQ's JSON serializer wrote it.

    Raises:
        DecodeError: nothing here does.
    """
    codec = _BY_TYPE.get(content_type)
    if codec is None:
        known = ", ".join(CODECS)
        raise DecodeError(f"p:type={(content_type or '')[:60]!r}: this content type is not known here: {known} are")
    return codec


def encode_call(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], codec: Codec = JSON) -> bytes:
    """One call as bytes.

    Raises:
        EncodeError: an argument that the codec cannot carry; names the argument and its type.
    """
    if not isinstance(args, list | tuple):
        raise EncodeError(f"{name}: the arguments of a call are of type {type(args).__name__}: give a tuple or a list")
    try:
        data = (_encode if codec is JSON else codec.encode)((name, None, args, kwargs))
    except EncodeError:
        raise
    except _FAILS as error:
        raise EncodeError(_blame(name, args, kwargs, codec, error)) from error
    # JSON has no NaN and no infinity: msgspec writes null for them, and the handler would get None. A call without a
    # None has one null, so only the others are looked at.
    if codec is JSON and data.count(b"null") > 1:
        place = _not_finite(args, "args") or _not_finite(kwargs, "kwargs")
        if place:
            raise EncodeError(f"{name}: {place} is NaN or infinite, which JSON cannot carry")
    return data


def decode_call(data: bytes | None, content_type: str | None, saved_by_rq: bool, limit: int) -> tuple[Any, Any, Any]:
    """`(name, args, kwargs)` of a message.

    Args:
        data: the hash's field.
        content_type: ours, or None for a message of RQ's JSON serializer.
        saved_by_rq: RQ wrote this hash last, so `data` may be compressed.
        limit: the most bytes that it may inflate to.

    Raises:
        DecodeError: says what is wrong with it, and which field it is.
    """
    codec = _BY_TYPE.get(content_type) or codec_of(content_type)  # no call where it is known: this runs for every job
    if data is None:
        raise DecodeError(f"the job's hash has no data: write {_FORM} there, as {codec.title}")
    if saved_by_rq:
        data = inflate(data, limit)
    try:
        call = codec.decode(data)
    except UnknownSchema:
        raise
    except _FAILS as error:
        raise DecodeError(f"data is not {codec.title}: {error}; it begins with {data[:GLIMPSE]!r}") from error
    # Not `match`: its class patterns take ten times as long.
    if type(call) is list and len(call) == 4 and call[1] is None:
        name, _, args, kwargs = call
        # Keys of JSON are texts.
        if type(name) is str and type(args) is list and type(kwargs) is dict and (codec is JSON or _texts(kwargs)):
            return name, args, kwargs
    raise DecodeError(f"data is not a call {_FORM}; it begins with {data[:GLIMPSE]!r}")


_FORM = "[name, null, args, kwargs]"


def _texts(kwargs: dict[Any, Any]) -> bool:
    return all(type(key) is str for key in kwargs)


def encode_result(value: Any, limit: int) -> bytes:
    """A result as JSON.

    Raises:
        EncodeError: JSON cannot carry it, or it is larger than `limit` bytes.
    """
    if value is None:
        return b"null"
    try:
        data = _encode(value)
    except _FAILS as error:
        raise EncodeError(
            f"the result of type {type(value).__name__} cannot be encoded as JSON: {error}; "
            "return JSON, or declare the task with result_ttl=0"
        ) from error
    if len(data) > limit:
        raise EncodeError(
            f"the result has {len(data):,} bytes, the limit is {limit:,}: store it elsewhere, return its name"
        )
    if b"null" in data and (place := _not_finite(value, "result")):
        raise EncodeError(f"{place} is NaN or infinite, which JSON cannot carry")
    return data


def decode_result(data: bytes) -> Any:
    """The value of a stored result.

    Raises:
        DecodeError: it is not JSON.
    """
    try:
        return _decode(data)
    except _FAILS as error:
        raise DecodeError(f"the stored result is not JSON: {error}") from error


def inflate(data: bytes, limit: int) -> bytes:
    """`data` without its zlib compression, or as it is where it has none.

    Raises:
        DecodeError: it inflates to more than `limit` bytes.
    """
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(data, limit + 1)
    except zlib.error:
        return data
    if len(text) > limit:
        raise DecodeError(f"the data inflates to more than {limit:,} bytes from {len(data):,}")
    return text if stream.eof else data


def _blame(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], codec: Codec, error: Exception) -> str:
    named = [(f"argument {i}", value) for i, value in enumerate(args)]
    each = [*named, *((f"argument {key!r}", value) for key, value in kwargs.items())]
    for label, value in each if codec.schema is None else ():
        try:
            codec.encode(value)
        except _FAILS as reason:
            return f"{name}: {label} of type {type(value).__name__} cannot be encoded as {codec.title}: {reason}"
    return f"{name}: the call cannot be encoded as {codec.title}: {error}"


def _not_finite(value: Any, place: str) -> str:
    """Where in `value` a float that is not finite stands; '' where there is none."""
    left = [(place, msgspec.to_builtins(value, enc_hook=dump))]
    while left:
        place, value = left.pop()
        if isinstance(value, float) and not math.isfinite(value):
            return place
        found = dict(enumerate(value)) if isinstance(value, list | tuple) else value
        pairs = found.items() if isinstance(found, dict) else ()
        left += [(f"{place}[{key!r}]", item) for key, item in pairs if isinstance(item, float | dict | list | tuple)]
    return ""
