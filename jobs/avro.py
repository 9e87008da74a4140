"""Calls in Avro: single-object encoding (https://avro.apache.org/docs/1.12.0/specification/#single-object-encoding).

Data begins with C3 01 and the fingerprint (CRC-64-AVRO) of the schema that it was written with. A reader asks for no
schema of its own: it reads what was written as a document, which then is brought up and bound as in any codec.
"""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from inspect import Parameter
from io import BytesIO
from typing import Any, NamedTuple

import fastavro
import msgspec
from fastavro.read import LOGICAL_READERS
from fastavro.schema import fingerprint, to_parsing_canonical_form

from postroom.jobs.call_record import Written, call, record
from postroom.jobs.errors import ConfigError, DecodeError, UnknownSchema
from postroom.jobs.forwarded import forwarded
from postroom.jobs.models import as_document
from postroom.jobs.shapes import ABSENT, Shape, Shapes

MARK = b"\xc3\x01"
HEAD = 10
"""Bytes of mark and fingerprint."""
MOST = 1_000
"""Schemas that a process keeps."""
LARGEST = 1_000_000
"""Bytes of a schema."""


class Known(NamedTuple):
    """A schema that this process has seen."""

    parsed: Any
    described: Any
    """As it was written."""


_known: dict[bytes, Known] = {}
LOGICAL_READERS["record-absent"] = lambda *_: msgspec.UNSET


def written(
    task: str,
    parameters: Mapping[str, Parameter],
    infos: Mapping[str, Any],
    bind: Callable[..., Any],
    check: Callable[..., None],
) -> Written:
    """How the calls of a task are written.

    Args:
        infos: the types of its parameters (msgspec.inspect).
        bind: `inspect.Signature.bind` of its function.
        check: raises where a document is no call of the task.

    Raises:
        ConfigError: a type is none of Avro's.
    """
    own = Shapes(task).call(parameters, infos)

    def by(shape: Shape, *, sent_on: bool = False) -> Written:
        text = json.dumps(shape.schema, separators=(",", ":"))
        try:
            mark = learn(text)
        except DecodeError as error:
            raise ConfigError(f"{task}: {error}") from error
        schema = _known[mark].parsed

        def encode(call: Any) -> bytes:
            name, _, args, kwargs = call
            args, kwargs = as_document((args, kwargs))
            check([name, None, args, kwargs], args, kwargs, sent_on=sent_on)
            out = BytesIO()
            out.write(MARK + mark)
            document = record(name, parameters, bind(*args, **kwargs).arguments)
            fastavro.schemaless_writer(out, schema, shape.fit(document))
            return out.getvalue()

        return Written(encode, mark.hex(), text)

    @lru_cache(maxsize=MOST)
    def beside(fingerprint: str, *, same_task: bool, exact: bool) -> Written:
        theirs = _known.get(bytes.fromhex(fingerprint))
        if theirs is None:
            return found
        return by(forwarded(own.schema, theirs.described, same_task=same_task, exact=exact), sent_on=True)

    found = by(own)._replace(beside=beside)
    return found


def decode(data: bytes) -> Any:
    """Bytes → plain document `[name, null, args, kwargs]`.

    Raises:
        UnknownSchema: nobody has said what schema this is.
        ValueError: it is none.
    """
    if data[:2] != MARK or len(data) < HEAD:
        raise ValueError("it does not begin with C3 01 and the fingerprint of a schema")
    known = _known.get(data[2:HEAD])
    if known is None:
        raise UnknownSchema("avro", data[2:HEAD].hex(), _task(data))
    stream = BytesIO(data[HEAD:])
    try:
        found: Any = fastavro.schemaless_reader(stream, known.parsed, None)
    except Exception as error:  # whatever a decoder in C may raise of bytes that are none
        raise ValueError(f"{type(error).__name__}: {error}") from error
    if stream.read(1):
        raise ValueError("bytes are left over")
    # Which of the arguments by place are absent says how they were given.
    by_place = {
        name: value if value is msgspec.UNSET else _present(value) for name, value in found.pop("by_place", {}).items()
    }
    return call({**_present(found), "by_place": by_place})


def _present(value: Any) -> Any:
    """Without what is absent."""
    if type(value) is dict:
        return {key: _present(one) for key, one in value.items() if one is not msgspec.UNSET}
    return [_present(one) for one in value] if type(value) is list else value


def learn(text: str | bytes) -> bytes:
    """Take up a schema; its fingerprint.

    Raises:
        DecodeError: it is no schema of a call, or data of a few bytes could cost any memory by it.
    """
    try:
        if len(text) > LARGEST:
            raise ValueError(f"it has {len(text):,} bytes, the limit is {LARGEST:,}")
        described = json.loads(text)
        schema: Any = fastavro.parse_schema(json.loads(text, object_hook=_marked))
        mark = bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))
        first = schema["fields"][0]
        if (first["name"], first["type"]) != ("task", "string"):
            raise ValueError("it is not of a call: its first field is not the task's name")
        _check(schema, {}, ())
    except Exception as error:  # anybody may have written it
        raise DecodeError(f"a schema of Avro cannot be used: {type(error).__name__}: {error}") from error
    if len(_known) >= MOST:
        del _known[next(iter(_known))]
    _known[mark] = Known(schema, described)
    return mark


learn_locked = learn


def _marked(node: dict[str, Any]) -> dict[str, Any]:
    """What is absent is read as what no document holds. Not so in the stored text: readers warn of what they ignore."""
    return {**node, "logicalType": "absent"} if node.get("name") == ABSENT else node


def _task(data: bytes) -> str:
    """The first field of every call: a length (zigzag, 7 bits a byte) and so many bytes of UTF-8."""
    size = shift = 0
    for at in range(HEAD, min(len(data), HEAD + 5)):
        size |= (data[at] & 127) << shift
        shift += 7
        if data[at] < 128:
            return data[at + 1 : at + 1 + (size >> 1)].decode(errors="replace")
    return ""


def _check(schema: Any, named: dict[str, int], inside: tuple[str, ...]) -> int:
    """The fewest bytes of a value.

    Raises:
        ValueError: a type holds itself: a decoder in C would go as deep as the data says. Or what is no branch of a
            union has no bytes: there could be as many of it as the data says.
    """
    if isinstance(schema, list):
        return 1 + min(_check(one, named, inside) for one in schema)
    if isinstance(schema, str):
        if schema in inside:
            raise ValueError(f"{schema} holds itself")
        return named.get(schema, 0 if schema == "null" else 1)
    kind, name = schema["type"], schema.get("name", "")
    parts = {"array": [schema.get("items")], "map": [schema.get("values")]}.get(kind, [])
    if kind == "record":
        parts = [field["type"] for field in schema["fields"]]
    sizes = [_check(part, named, (*inside, name)) for part in parts]
    if 0 in sizes:
        raise ValueError(f"a part of {name or kind} has no bytes")
    size = sum(sizes) if kind == "record" else schema["size"] if kind == "fixed" else _check(kind, named, inside)
    return named.setdefault(name, size) if name else size
