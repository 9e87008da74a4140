"""Calls in Protobuf: messages of a type that is made from the task's signature.

A call's first field is the fingerprint of its schema (the first 8 bytes of the SHA-256 of its descriptor), so that data
begins with 09 and these 8 bytes. As in Avro a reader asks for no schema of its own: what was written is read by the
schema that it was written with, as a document.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from inspect import Parameter
from typing import Any, NamedTuple

import msgspec
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from postroom.jobs.call_record import Written, call, record
from postroom.jobs.errors import ConfigError, DecodeError, UnknownSchema
from postroom.jobs.forwarded import forwarded
from postroom.jobs.models import as_document
from postroom.jobs.protobuf_schema import MEMBERS, NAMES, SCALARS, Numbers, described, kind_of, member_of, present
from postroom.jobs.shapes import ABSENT, BY_PLACE, NULL, Shape, Shapes

MARK = b"\x09"
HEAD = 9
"""Bytes of the first field."""
MOST = 1_000
"""Schemas that a process keeps."""
LARGEST = 1_000_000
"""Bytes of a schema's text."""
DEEPEST = 50
"""Messages within messages: fewer than Protobuf's own parsers take."""

_NAMES = {short: name for name, short in NAMES.items()}
_KINDS = {member: kind for kind, member in MEMBERS.items()}
_TYPES = {number: kind for kind, number in SCALARS.items()}
_REPEATED, _MESSAGE = FieldDescriptorProto.LABEL_REPEATED, FieldDescriptorProto.TYPE_MESSAGE

Read = Callable[[Any], Any]
Fill = Callable[[Any, Any], None]


class Known(NamedTuple):
    """A schema that this process has seen."""

    file: FileDescriptorProto
    make: Callable[[], Any]
    """An empty call."""
    read: Read
    described: Any
    """As shapes.Shapes would."""


_known: dict[bytes, Known] = {}
_locked: list[FileDescriptorProto] = []


def written(
    task: str,
    parameters: Mapping[str, Parameter],
    infos: Mapping[str, Any],
    bind: Callable[..., Any],
    check: Callable[..., None],
) -> Written:
    """How the calls of a task are written; as avro.written.

    Fields have the numbers that they have in the schemas of this task in the lock.

    Raises:
        ConfigError: a type is none of Protobuf's.
    """
    own = Shapes(task, "Protobuf", dotted=False).call(parameters, infos)

    def by(shape: Shape, numbers: Numbers, *, sent_on: bool = False) -> Written:
        text = json.dumps(json_format.MessageToDict(described(task, shape.schema, numbers)), separators=(",", ":"))
        try:
            mark = learn(text)
        except DecodeError as error:
            raise ConfigError(f"{task}: {error}") from error
        make, fill, head = _known[mark].make, _filler(shape.schema, {}), int.from_bytes(mark, "little")

        def encode(call: Any) -> bytes:
            name, _, args, kwargs = call
            args, kwargs = as_document((args, kwargs))
            check([name, None, args, kwargs], args, kwargs, sent_on=sent_on)
            message = make()
            message.schema = head
            fill(message, shape.fit(record(name, parameters, bind(*args, **kwargs).arguments)))
            data: bytes = message.SerializeToString(deterministic=True)
            return data

        return Written(encode, mark.hex(), text)

    @lru_cache(maxsize=MOST)
    def beside(fingerprint: str, *, same_task: bool, exact: bool) -> Written:
        theirs = _known.get(bytes.fromhex(fingerprint))
        if theirs is None:
            return found
        shape = forwarded(own.schema, theirs.described, same_task=same_task, exact=exact)
        return by(shape, Numbers([theirs.file]), sent_on=True)

    before = [file for file in _locked if file.name == f"{task}.proto"]
    found = by(own, Numbers(before))._replace(beside=beside)
    return found


def decode(data: bytes) -> Any:
    """Bytes → plain document `[name, null, args, kwargs]`.

    Raises:
        UnknownSchema: nobody has said what schema this is.
        ValueError: it is none.
    """
    if data[:1] != MARK or len(data) < HEAD:
        raise ValueError("it does not begin with 09 and the fingerprint of a schema")
    known = _known.get(data[1:HEAD])
    if known is None:
        raise UnknownSchema("protobuf", data[1:HEAD].hex(), _task(data))
    message = known.make()
    try:
        message.ParseFromString(data)
    except Exception as error:  # whatever a decoder in C may raise of bytes that are none
        raise ValueError(f"{type(error).__name__}: {error}") from error
    size = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() != size:
        raise ValueError("it has fields that its schema does not have")
    return call(known.read(message))


def learn(text: str | bytes) -> bytes:
    """Take up a schema; its fingerprint.

    Raises:
        DecodeError: it is no schema of a call.
    """
    try:
        if len(text) > LARGEST:
            raise ValueError(f"it has {len(text):,} bytes, the limit is {LARGEST:,}")
        file = json_format.ParseDict(json.loads(text), FileDescriptorProto())
        binary = file.SerializeToString(deterministic=True)
        pool = DescriptorPool()
        pool.AddSerializedFile(binary)
        root = pool.FindMessageTypeByName(f"{file.package}.Call")
        first, task = root.fields_by_number[1], root.fields_by_number[2]
        if (first.name, first.type, task.name, task.type) != ("schema", 6, "task", 9):
            raise ValueError("it is not of a call: its first fields are not its schema and the task's name")
        found = _Descriptions().record(root, 0)
        known = Known(file, GetMessageClass(root), found.read, found.schema)
    except Exception as error:  # anybody may have written it
        raise DecodeError(f"a schema of Protobuf cannot be used: {type(error).__name__}: {error}") from error
    mark = hashlib.sha256(binary).digest()[: HEAD - 1]
    if len(_known) >= MOST:
        del _known[next(iter(_known))]
    _known[mark] = known
    return mark


def learn_locked(text: bytes) -> bytes:
    """`learn`, and keep the numbers of fields: only what is in the lock may say them, not what stands on a server."""
    mark = learn(text)
    _locked.append(_known[mark].file)
    return mark


class _Description(NamedTuple):
    schema: Any
    read: Read


class _Descriptions:
    """What the descriptors of a file say, and how their messages are read as records.

    Raises:
        ValueError: one is not as `described` makes them.
    """

    def __init__(self) -> None:
        self._met: dict[str, _Description | None] = {}

    def record(self, message: Any, depth: int) -> _Description:
        if message.full_name in self._met:
            known = self._met[message.full_name]
            if known is None:
                raise ValueError(f"{message.name} holds itself")
            return known._replace(schema=known.schema["name"])
        self._met[message.full_name] = None
        parts = {one.name: self._field(one, depth + 1) for one in message.fields if one.name != "schema" or depth}
        name = _NAMES.get(message.name, message.name)
        fields = [
            {"name": key, "type": one.schema, **({"default": {}} if isinstance(one.schema, list) else {})}
            for key, one in parts.items()
        ]
        reads = [(key, one.read) for key, one in parts.items()]

        if name == BY_PLACE:  # which of these are absent says how they were given

            def read(found: Any) -> dict[str, Any]:
                return {key: one(found) for key, one in reads}
        else:

            def read(found: Any) -> dict[str, Any]:
                return {key: value for key, one in reads if (value := one(found)) is not msgspec.UNSET}

        self._met[message.full_name] = _Description({"type": "record", "name": name, "fields": fields}, read)
        return _Description({"type": "record", "name": name, "fields": fields}, read)

    def _field(self, field: Any, depth: int) -> _Description:
        """Of a record: the value in a message, `UNSET` where there is none."""
        name = field.name
        if field.is_repeated:
            return self._several(field, depth)
        one = self._one(field, depth)
        branches = one.schema if isinstance(one.schema, list) else [one.schema]
        value = one.read

        def as_it_is(found: Any) -> Any:
            return getattr(found, name) if found.HasField(name) else msgspec.UNSET

        def read(found: Any) -> Any:
            return value(getattr(found, name)) if found.HasField(name) else msgspec.UNSET

        if not field.has_presence:
            raise ValueError(f"{field.full_name} is no optional field")
        return _Description([ABSENT, *branches], as_it_is if value is _same else read)

    def _several(self, field: Any, depth: int) -> _Description:
        name = field.name
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
            if key.type != FieldDescriptorProto.TYPE_STRING:
                raise ValueError(f"the keys of {field.full_name} are no texts")
            one = self._one(value, depth)
            return _Description(
                {"type": "map", "values": one.schema},
                lambda found: {key: one.read(value) for key, value in sorted(getattr(found, name).items())},
            )
        one = self._one(field, depth)
        return _Description(
            {"type": "array", "items": one.schema}, lambda found: [one.read(item) for item in getattr(found, name)]
        )

    def _one(self, field: Any, depth: int) -> _Description:
        if depth > DEEPEST:
            raise ValueError(f"{field.full_name} is nested more than {DEEPEST} deep")
        message = field.message_type
        if message is None:
            if field.type not in _TYPES:
                raise ValueError(f"{field.full_name} is of a type that calls have no use for")
            return _Description(_TYPES[field.type], _same)
        if message.containing_type is not None:
            return self._nested(message, depth + 1)
        if message.name == NULL and not message.fields:
            return _Description("null", lambda _: None)
        return self.record(message, depth)

    def _nested(self, message: Any, depth: int) -> _Description:
        if [one.name for one in message.oneofs] == ["kind"]:
            parts = {one.name: self._one(one, depth) for one in message.oneofs[0].fields}

            def read(found: Any) -> Any:
                member = found.WhichOneof("kind")
                if member is None:
                    raise ValueError(f"{message.full_name} has no value")
                return parts[member].read(getattr(found, member))

            return _Description([one.schema for one in parts.values()], read)
        (field,) = message.fields
        if field.name not in {"items", "entries"} or not field.is_repeated:
            raise ValueError(f"{message.full_name} is neither a union, a list nor a map")
        return self._several(field, depth)


def _same(value: Any) -> Any:
    return value


def _filler(schema: Any, met: dict[str, Fill]) -> Fill:
    """What writes a fitted document of a record into its message."""
    setters = [(one["name"], _setter(one["name"], one["type"], met)) for one in schema["fields"]]

    def fill(message: Any, fitted: Mapping[str, Any]) -> None:
        for name, put in setters:
            put(message, fitted[name])

    met[schema["name"]] = fill
    return fill


def _setter(name: str, schema: Any, met: dict[str, Fill]) -> Fill:
    """What writes a fitted value as this field of a message."""
    branches, must = present(schema)
    if not must and len(branches) == 1:
        put = _one_setter(name, branches[0], met, repeated=False)
        return lambda message, value: None if value[0] == ABSENT else put(message, value[1])
    if len(branches) > 1:
        union = _one_setter(name, branches, met, repeated=False)
        return lambda message, value: None if value[0] == ABSENT else union(message, value)
    return _one_setter(name, branches[0], met, repeated=True)


def _one_setter(name: str, schema: Any, met: dict[str, Fill], *, repeated: bool) -> Fill:
    kind = "union" if isinstance(schema, list) else kind_of(schema)
    if repeated and kind in {"array", "map"}:
        return _several_setter(name, schema, met)
    if kind in SCALARS:
        return lambda message, value: setattr(message, name, value)
    inner = _inner(schema, met)

    def put(message: Any, value: Any) -> None:
        part = getattr(message, name)
        part.SetInParent()
        inner(part, value)

    return put


def _several_setter(name: str, schema: Any, met: dict[str, Fill]) -> Fill:
    item = schema["items"] if schema["type"] == "array" else schema["values"]
    scalar = not isinstance(item, list) and kind_of(item) in SCALARS
    inner = None if scalar else _inner(item, met)
    if schema["type"] == "array":
        if inner is None:
            return lambda message, values: getattr(message, name).extend(values)

        def extend(message: Any, values: Any) -> None:
            several = getattr(message, name)
            for value in values:
                inner(several.add(), value)

        return extend

    def update(message: Any, values: Any) -> None:
        several = getattr(message, name)
        for key, value in values.items():
            if inner is None:
                several[key] = value
            else:
                inner(several[key], value)

    return update


def _inner(schema: Any, met: dict[str, Fill]) -> Fill:
    """What writes a fitted value into the message that stands for it."""
    if isinstance(schema, list):
        puts = {kind_of(one): _one_setter(member_of(one), one, met, repeated=False) for one in schema}
        return lambda message, value: puts[value[0]](message, value[1])
    kind = kind_of(schema)
    if kind == "null":
        return lambda message, value: None
    if kind == "array":
        return _several_setter("items", schema, met)
    if kind == "map":
        return _several_setter("entries", schema, met)
    return _filler(schema, met) if isinstance(schema, dict) else met[kind]


def _task(data: bytes) -> str:
    """The second field of every call: 12, a length (7 bits a byte) and so many bytes of UTF-8."""
    size = shift = 0
    for at in range(HEAD + 1, min(len(data), HEAD + 6)) if data[HEAD : HEAD + 1] == b"\x12" else ():
        size |= (data[at] & 127) << shift
        shift += 7
        if data[at] < 128:
            return data[at + 1 : at + 1 + size].decode(errors="replace")
    return ""
