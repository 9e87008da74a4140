"""Bytes ↔ values: what travels in a job's `data` and `result`.

The content type of a message is a field of its own and nothing is sniffed. One exception is not ours to make: where RQ
has saved a hash, `data` may be zlib-compressed, and RQ itself falls back to the raw bytes (rq.job.Job.restore).
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from postroom.jobs.errors import DecodeError, EncodeError
from postroom.jobs.models import dump

JSON = "json"
"""The content type of our own messages: RQ's JSONSerializer's `[name, null, args, kwargs]`."""

GLIMPSE = 12
"""Bytes that errors show of what cannot be read: enough to tell formats apart, too few to reach an argument."""

_encode = msgspec.json.Encoder(enc_hook=dump).encode
_decode = msgspec.json.Decoder().decode
_FAILS = (TypeError, ValueError, OverflowError, RecursionError)


def encode_call(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
    """One call as JSON.

    Raises:
        EncodeError: an argument that JSON cannot carry; names the argument and its type.
    """
    if not isinstance(args, list | tuple):
        raise EncodeError(f"{name}: the arguments of a call are of type {type(args).__name__}: give a tuple or a list")
    try:
        data = _encode((name, None, args, kwargs))
    except _FAILS as error:
        raise EncodeError(_blame(name, args, kwargs, error)) from error
    # JSON has no NaN and no infinity: msgspec writes null for them, and the handler would get None. A call without a
    # None has one null, so only the others are looked at.
    if data.count(b"null") > 1:
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
        DecodeError: says what is wrong with it.
    """
    if content_type not in (JSON, None):
        raise DecodeError(f"content type {content_type!r} is not known here")
    if data is None:
        raise DecodeError("the job's hash has no data")
    if saved_by_rq:
        data = inflate(data, limit)
    try:
        call = _decode(data)
    except _FAILS as error:
        raise DecodeError(f"not JSON: {error}; the data begins with {data[:GLIMPSE]!r}") from error
    # Not `match`: its class patterns take ten times as long, and this runs for every job.
    if type(call) is list and len(call) == 4 and call[1] is None:
        name, _, args, kwargs = call
        if type(name) is str and type(args) is list and type(kwargs) is dict:
            return name, args, kwargs
    raise DecodeError(f"not a call [name, null, args, kwargs]; the data begins with {data[:GLIMPSE]!r}")


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


def _blame(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], error: Exception) -> str:
    named = [(f"argument {i}", value) for i, value in enumerate(args)]
    for label, value in [*named, *((f"argument {key!r}", value) for key, value in kwargs.items())]:
        try:
            _encode(value)
        except _FAILS as reason:
            return f"{name}: {label} of type {type(value).__name__} cannot be encoded as JSON: {reason}"
    return f"{name}: the call cannot be encoded as JSON: {error}"


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
