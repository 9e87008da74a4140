"""The Protobuf schema of a task's calls (https://protobuf.dev/reference/protobuf/proto3-spec/), as a file descriptor.

A record is a message. What Protobuf has no field for stands in a message of its own, nested in the one that needs it: a
union (`oneof kind`), a list in a list, a list that may be left out (`items`), a map likewise (`entries`).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

from postroom.jobs.errors import ConfigError
from postroom.jobs.shapes import ABSENT, BY_NAME, BY_PLACE, CALL, NULL

NAMES = {CALL: "Call", BY_PLACE: "ByPlace", BY_NAME: "ByName"}
"""What the parts of a call are called."""
MEMBERS = {
    "null": "null_value",
    "boolean": "bool_value",
    "long": "int_value",
    "double": "double_value",
    "string": "string_value",
    "bytes": "bytes_value",
    "array": "list_value",
    "map": "map_value",
}
"""What the alternatives of a union are called; a record by its name."""
_FIRST = {
    "Call": {"schema": 1, "task": 2, "by_place": 3, "by_name": 4, "rest": 5, "more": 6},
    "kind": {name: number for number, name in enumerate(MEMBERS.values(), 1)},
}
"""Numbers that are always the same: of a call's fields, of a union's alternatives."""
SCALARS = {
    "boolean": FieldDescriptorProto.TYPE_BOOL,
    "long": FieldDescriptorProto.TYPE_INT64,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}
_NESTED = {"union": "Value", "array": "List", "map": "Map"}
"""How the names of messages end that stand for these."""
_SKIPPED = range(19_000, 20_000)
"""Numbers that Protobuf keeps for itself."""


class Numbers:
    """The numbers of fields: what was given once is kept, a new field gets the next one, a removed one's is reserved.

    Args:
        before: descriptors of the same calls that were written with.

    Raises:
        ConfigError: two fields of a message have one number in them.
    """

    def __init__(self, before: Iterable[FileDescriptorProto] = ()) -> None:
        self._of: dict[str, dict[str, int]] = {}
        for file in before:
            for path, message in messages(file):
                given = self._of.setdefault(path, {})
                given |= {field.name: field.number for field in message.field}
                names = iter(message.reserved_name)  # in the order of their numbers, as `reserve` writes them
                given |= {next(names, f"{one.start}"): one.start for one in message.reserved_range}
                if len({*given.values()}) < len(given):
                    raise ConfigError(
                        f"{file.name}: two fields of {path} have one number: two branches have added to the lock; "
                        "take one of the two from the last commit and lock again"
                    )

    def number(self, path: str, name: str, always: Mapping[str, int]) -> int:
        """Of a field."""
        given = self._of.setdefault(path, {})
        if name not in given:
            highest = max([0, *given.values(), *always.values()])
            following = highest + 1 if highest + 1 not in _SKIPPED else _SKIPPED.stop
            given[name] = always.get(name, following)
        return given[name]

    def reserve(self, path: str, message: DescriptorProto) -> None:
        """Those of fields that the message has no more."""
        names = {field.name for field in message.field}
        gone = sorted((number, name) for name, number in self._of.get(path, {}).items() if name not in names)
        for number, name in gone:
            message.reserved_range.add(start=number, end=number + 1)
            message.reserved_name.append(name)


def messages(file: FileDescriptorProto) -> Iterator[tuple[str, DescriptorProto]]:
    """All messages by their paths."""
    left = [(one.name, one) for one in file.message_type]
    while left:
        path, message = left.pop()
        yield path, message
        left += [(f"{path}.{one.name}", one) for one in message.nested_type]


def described(task: str, schema: Any, numbers: Numbers) -> FileDescriptorProto:
    """The file of a call's schema (of shapes.Shapes)."""
    package = task if all(part.isidentifier() and part.isascii() for part in task.split(".")) else "postroom"
    return _Description(FileDescriptorProto(name=f"{task}.proto", package=package, syntax="proto3"), numbers).of(schema)


class _Description:
    def __init__(self, file: FileDescriptorProto, numbers: Numbers) -> None:
        self._file, self._numbers = file, numbers

    def of(self, schema: Any) -> FileDescriptorProto:
        self._record(schema)
        return self._file

    def _record(self, schema: Any) -> None:
        path = NAMES.get(schema["name"], schema["name"])
        message = self._file.message_type.add(name=path)
        always = _FIRST.get(path, {})
        if path == "Call":
            number = self._numbers.number(path, "schema", always)
            message.field.add(name="schema", number=number, type=FieldDescriptorProto.TYPE_FIXED64, label=1)
        for field in schema["fields"]:
            number = self._numbers.number(path, field["name"], always)
            self._field(message, path, field["name"], number, field["type"])
        self._numbers.reserve(path, message)

    def _field(self, message: DescriptorProto, path: str, name: str, number: int, schema: Any) -> None:
        branches, must = present(schema)
        one = branches[0]
        if len(branches) == 1 and must and kind_of(one) == "array":
            self._add(message, path, name, number, one["items"], label=FieldDescriptorProto.LABEL_REPEATED)
        elif len(branches) == 1 and must and kind_of(one) == "map":
            self._map(message, path, name, number, one["values"])
        else:
            field = self._add(message, path, name, number, one if len(branches) == 1 else branches)
            if field.type != FieldDescriptorProto.TYPE_MESSAGE:
                field.proto3_optional, field.oneof_index = True, len(message.oneof_decl)
                message.oneof_decl.add(name=f"_{name}")

    def _add(
        self,
        message: DescriptorProto,
        path: str,
        name: str,
        number: int,
        schema: Any,
        home: DescriptorProto | None = None,
        **more: Any,
    ) -> FieldDescriptorProto:
        """A field; what stands for its type is nested in `home`, which has this path: the message, if nothing else."""
        more.setdefault("label", FieldDescriptorProto.LABEL_OPTIONAL)
        nested = more.pop("inner", name)
        kind = "union" if isinstance(schema, list) else kind_of(schema)
        if kind in SCALARS:
            return message.field.add(name=name, number=number, type=SCALARS[kind], **more)
        if kind == "null":
            if all(one.name != NULL for one in self._file.message_type):
                self._file.message_type.add(name=NULL)
            inner = NULL
        elif kind in {"union", "array", "map"}:
            inner = self._nested(home or message, path, nested, schema, kind)
        else:
            inner = NAMES.get(kind, kind)
            if isinstance(schema, dict):
                self._record(schema)
        full = f".{self._file.package}.{inner}"
        return message.field.add(
            name=name, number=number, type=FieldDescriptorProto.TYPE_MESSAGE, type_name=full, **more
        )

    def _nested(self, message: DescriptorProto, path: str, name: str, schema: Any, kind: str) -> str:
        own = f"{camel(name)}{_NESTED[kind]}"
        inner, found = f"{path}.{own}", message.nested_type.add(name=own)
        if kind == "array":
            self._add(found, inner, "items", 1, schema["items"], label=FieldDescriptorProto.LABEL_REPEATED)
        elif kind == "map":
            self._map(found, inner, "entries", 1, schema["values"])
        else:
            found.oneof_decl.add(name="kind")
            for one in schema:
                member = member_of(one)
                number = self._numbers.number(inner, member, _FIRST["kind"])
                self._add(found, inner, member, number, one, oneof_index=0)
            self._numbers.reserve(inner, found)
        return inner

    def _map(self, message: DescriptorProto, path: str, name: str, number: int, values: Any) -> None:
        own = f"{camel(name)}Entry"
        entry = message.nested_type.add(name=own)
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, type=FieldDescriptorProto.TYPE_STRING, label=1)
        self._add(entry, path, "value", 2, values, home=message, inner=name)  # an entry can have nothing nested
        message.field.add(
            name=name,
            number=number,
            type=FieldDescriptorProto.TYPE_MESSAGE,
            type_name=f".{self._file.package}.{path}.{own}",
            label=FieldDescriptorProto.LABEL_REPEATED,
        )


def present(schema: Any) -> tuple[list[Any], bool]:
    """The types of a field but for the absent one, and whether there is none."""
    listed = schema if isinstance(schema, list) else [schema]
    found = [one for one in listed if one != ABSENT and kind_of(one) != ABSENT]
    return found, len(found) == len(listed)


def kind_of(schema: Any) -> str:
    """`array`, `map`, the name of a record or of a scalar."""
    if isinstance(schema, str):
        return schema
    found: str = schema["name"] if schema["type"] == "record" else schema["type"]
    return found


def member_of(schema: Any) -> str:
    """The field of an alternative in a union."""
    kind = kind_of(schema)
    return MEMBERS.get(kind, kind)


def camel(name: str) -> str:
    """`by_name` → `ByName`, as protoc names the entries of a map."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
