"""Dead letters in a file: one line of JSON each, with everything that restores it."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import IO

import msgspec

from postroom.jobs.errors import ConfigError, DecodeError
from postroom.jobs.keys import JOB_ID
from postroom.jobs.options import check_key, check_queue_name
from postroom.jobs.times import MOST, parse_rq_time

FORMAT = 1
MOST_BYTES = 64_000_000
"""Of one line."""

_LEFT_OUT = {b"p:token", b"p:imported"}
"""Of a claim, and of an import, that another server does not know."""
_TIMES = ("created_at", "enqueued_at", "started_at", "ended_at")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One dead letter. `binary`: fields that are not UTF-8, as base64; `result`: the newest entry of RQ's stream."""

    format: int
    id: str
    queue: str
    expiry: float
    """Seconds since the epoch; -1: never."""
    fields: dict[str, str]
    binary: dict[str, str] = {}
    result: dict[str, str] = {}
    schema: dict[str, str] = {}
    """Fingerprint and text of what its data cannot be read without."""

    @property
    def flat(self) -> list[str | bytes]:
        """Field, value, … of its hash."""
        found: list[str | bytes] = [part for pair in self.fields.items() for part in pair]
        for name, value in self.binary.items():
            found += (name, base64.b64decode(value))
        return found

    @property
    def entry(self) -> str:
        """Its entry in RQ's stream as the scripts take it; '' where there is none."""
        if not self.result:
            return ""
        return _encoder.encode([part for pair in self.result.items() for part in pair]).decode()


_decoder = msgspec.json.Decoder(Line)
_encoder = msgspec.json.Encoder()


def encode(
    job_id: str,
    queue: str,
    expiry: float,
    stored: Mapping[bytes, bytes],
    entry: Mapping[bytes, bytes],
    schema: Mapping[str, str] | None = None,
) -> bytes:
    """The line of a dead letter, without its end."""
    fields, binary = {}, {}
    for name, value in stored.items():
        if name in _LEFT_OUT or (name.decode(errors="replace") in _TIMES and not _is_date(value)):
            continue  # with a date that is none, no line could be read again
        try:
            fields[name.decode(errors="replace")] = value.decode()
        except UnicodeDecodeError:
            binary[name.decode(errors="replace")] = base64.b64encode(value).decode()
    result = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in entry.items()}
    line = Line(
        format=FORMAT,
        id=job_id,
        queue=queue,
        expiry=expiry,
        fields=fields,
        binary=binary,
        result=result,
        schema=dict(schema or {}),
    )
    return _encoder.encode(line)


def decode(text: bytes) -> Line:
    """A line as a dead letter.

    Raises:
        DecodeError: what is wrong with it.
    """
    try:
        line = _decoder.decode(text)
    except msgspec.DecodeError as error:
        raise DecodeError(f"{error}; the line begins with {text[:40]!r}") from None
    if line.format != FORMAT:
        raise DecodeError(f"format {line.format} is not known here; this version reads {FORMAT}")
    if not JOB_ID.fullmatch(line.id):
        raise DecodeError(f"{line.id!r} cannot be a job's id")
    try:
        check_queue_name(line.queue)
    except ConfigError as error:
        raise DecodeError(str(error)) from None
    if line.fields.get("status") != "failed":
        raise DecodeError(f"the status is {line.fields.get('status')!r}, a dead letter's is 'failed'")
    if line.expiry != -1 and not 0 <= line.expiry <= MOST:
        raise DecodeError(f"expiry={line.expiry!r} is no time: seconds since 1970, or -1 for never")
    _check_values(line)
    return line


def read(file: IO[bytes]) -> Iterator[Line]:
    """The dead letters of a file, one at a time; empty lines are left out.

    Raises:
        DecodeError: names the first line that is broken.
    """
    number = 0
    while text := file.readline(MOST_BYTES):
        number += 1
        if not text.strip():
            continue
        try:
            if len(text) == MOST_BYTES:
                raise DecodeError(f"longer than {MOST_BYTES:,} bytes")
            yield decode(text)
        except DecodeError as error:
            raise DecodeError(f"line {number} is broken: {error}") from None


def _check_values(line: Line) -> None:
    for name in _TIMES:
        text = line.fields.get(name, "")
        if not _is_date(text.encode()):
            raise DecodeError(f"{name}={text[:60]!r} is no date")
    if "p:key" in line.fields or "p:key" in line.binary:
        try:
            check_key(line.fields.get("p:key"))
        except ConfigError as error:
            raise DecodeError(f"field p:key: {error}") from None
    for name, value in line.binary.items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise DecodeError(f"binary field {name!r} is not base64") from None


def _is_date(text: bytes) -> bool:
    try:
        return not text or parse_rq_time(text.decode()) is not None
    except ValueError:
        return False
