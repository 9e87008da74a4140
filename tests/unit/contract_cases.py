"""The known cases of test_contract_cases.py."""

from dataclasses import dataclass
from typing import Any

Verdict = tuple[bool, bool]
BOTH, BACKWARD, FORWARD, NEITHER = (True, True), (True, False), (False, True), (False, False)
INT, NUMBER, TEXT = {"type": "integer"}, {"type": "number"}, {"type": "string"}


def record(name: str = "R", /, **fields: Any) -> dict[str, Any]:
    """An Avro record; a field is a type, or a dict with `type` and more."""
    named = [
        {"name": key, **(of if isinstance(of, dict) and "type" in of and not _whole(of) else {"type": of})}
        for key, of in fields.items()
    ]
    return {"type": "record", "name": name, "fields": named}


def _whole(of: dict[str, Any]) -> bool:
    return str(of["type"]) in {"record", "enum", "array", "map", "fixed"}


def obj(*optional: str, closed: bool = False, **fields: Any) -> dict[str, Any]:
    """A class in JSON Schema: all its fields are required but the `optional` ones."""
    required = [name for name in fields if name not in optional]
    return {
        "type": "object",
        "properties": fields,
        "required": required,
        **({"additionalProperties": False} if closed else {}),
    }


def zero(kind: Any, default: Any = 0) -> dict[str, Any]:
    """An Avro field with a default."""
    return {"type": kind, "default": default}


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


def array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def tree(**more: Any) -> dict[str, Any]:
    """A class that holds itself."""
    node = obj("next", *more, value=INT, next={"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}, **more)
    return {"$ref": "#/$defs/Node", "$defs": {"Node": node}}


def avro_tree(**more: Any) -> dict[str, Any]:
    return record("Node", value="int", next={"type": ["null", "Node"], "default": None}, **more)


@dataclass(frozen=True)
class Case:
    name: str
    old: Any
    new: Any
    theirs: Verdict
    ours: Verdict
    avro: tuple[Any, Any] | None = None
    """The same in Avro; None where the verdict is Confluent's."""
    why: str = ""
    """Ours is another."""


ALWAYS_SENT = "an Avro writer always sends the field; in JSON one with a default may be left out"
CASES = [
    Case(
        "a field with a default is added",
        obj(id=INT),
        obj("x", id=INT, x=INT),
        BOTH,
        BOTH,
        (record(id="int"), record(id="int", x=zero("int"))),
    ),
    Case(
        "a field without a default is added",
        obj(id=INT),
        obj(id=INT, x=INT),
        FORWARD,
        FORWARD,
        (record(id="int"), record(id="int", x="int")),
    ),
    Case(
        "a field with a default is taken away",
        obj("x", id=INT, x=INT),
        obj(id=INT),
        BOTH,
        BOTH,
        (record(id="int", x=zero("int")), record(id="int")),
    ),
    Case(
        "a field without a default is taken away",
        obj(id=INT, x=INT),
        obj(id=INT),
        BACKWARD,
        BACKWARD,
        (record(id="int", x="int"), record(id="int")),
    ),
    Case(
        "a field gets a default",
        obj(x=INT),
        obj("x", x=INT),
        BOTH,
        BACKWARD,
        (record(x="int"), record(x=zero("int"))),
        ALWAYS_SENT,
    ),
    Case(
        "a field loses its default",
        obj("x", x=INT),
        obj(x=INT),
        BOTH,
        FORWARD,
        (record(x=zero("int")), record(x="int")),
        ALWAYS_SENT,
    ),
    Case(
        "int becomes long",
        obj(x=INT),
        obj(x=INT),
        BACKWARD,
        BOTH,
        (record(x="int"), record(x="long")),
        "JSON has one integer",
    ),
    Case("int becomes double", obj(x=INT), obj(x=NUMBER), BACKWARD, BACKWARD, (record(x="int"), record(x="double"))),
    Case("double becomes int", obj(x=NUMBER), obj(x=INT), FORWARD, FORWARD, (record(x="double"), record(x="int"))),
    Case("long becomes float", obj(x=INT), obj(x=NUMBER), BACKWARD, BACKWARD, (record(x="long"), record(x="float"))),
    Case("int becomes string", obj(x=INT), obj(x=TEXT), NEITHER, NEITHER, (record(x="int"), record(x="string"))),
    Case(
        "string becomes bytes",
        obj(x=TEXT),
        obj(x={**TEXT, "contentEncoding": "base64"}),
        BOTH,
        FORWARD,
        (record(x="string"), record(x="bytes")),
        "bytes in JSON are base64, which a text need not be",
    ),
    Case(
        "an enum gets a symbol",
        obj(x={"enum": ["a"]}),
        obj(x={"enum": ["a", "b"]}),
        BACKWARD,
        BACKWARD,
        (record(x=enum("a")), record(x=enum("a", "b"))),
    ),
    Case(
        "an enum loses a symbol",
        obj(x={"enum": ["a", "b"]}),
        obj(x={"enum": ["a"]}),
        FORWARD,
        FORWARD,
        (record(x=enum("a", "b")), record(x=enum("a"))),
    ),
    Case(
        "an enum with a default gets a symbol",
        obj(x={"enum": ["a", "unknown"]}),
        obj(x={"enum": ["a", "b", "unknown"]}),
        BOTH,
        BOTH,
        (record(x=enum("a", "unknown", default="unknown")), record(x=enum("a", "b", "unknown", default="unknown"))),
    ),
    Case(
        "an enum becomes a string",
        obj(x={"enum": ["a"]}),
        obj(x=TEXT),
        NEITHER,
        BACKWARD,
        (record(x=enum("a")), record(x="string")),
        "an enum in JSON is sent as the text of its value",
    ),
    Case(
        "a value may be null",
        obj(x=INT),
        obj(x={"anyOf": [INT, {"type": "null"}]}),
        BACKWARD,
        BACKWARD,
        (record(x="int"), record(x=["null", "int"])),
    ),
    Case(
        "a value may no longer be null",
        obj(x={"anyOf": [INT, {"type": "null"}]}),
        obj(x=INT),
        FORWARD,
        FORWARD,
        (record(x=["null", "int"]), record(x="int")),
    ),
    Case(
        "a union gets a type",
        obj(x={"anyOf": [INT, TEXT]}),
        obj(x={"anyOf": [INT, TEXT, {"type": "boolean"}]}),
        BACKWARD,
        BACKWARD,
        (record(x=["int", "string"]), record(x=["int", "string", "boolean"])),
    ),
    Case(
        "a union loses a type",
        obj(x={"type": ["integer", "string"]}),
        obj(x=INT),
        FORWARD,
        FORWARD,
        (record(x=["int", "string"]), record(x=["int"])),
    ),
    Case("a field is renamed", obj(a=INT), obj(b=INT), NEITHER, NEITHER, (record(a="int"), record(b="int"))),
    Case(
        "a field is renamed and reads its old name",
        obj(a=INT),
        obj(b={**INT, "x-aliases": ["a"]}),
        BACKWARD,
        BACKWARD,
        (record(a="int"), record(b={"type": "int", "aliases": ["a"]})),
    ),
    Case(
        "a class inside gets a field with a default",
        obj(x=obj(y=INT)),
        obj(x=obj("z", y=INT, z=INT)),
        BOTH,
        BOTH,
        (record(x=record("I", y="int")), record(x=record("I", y="int", z=zero("int")))),
    ),
    Case(
        "a class inside gets a field without one",
        obj(x=obj(y=INT)),
        obj(x=obj(y=INT, z=INT)),
        FORWARD,
        FORWARD,
        (record(x=record("I", y="int")), record(x=record("I", y="int", z="int"))),
    ),
    Case(
        "the items of an array are widened",
        obj(x=array(INT)),
        obj(x=array(NUMBER)),
        BACKWARD,
        BACKWARD,
        (record(x=array("int")), record(x=array("double"))),
    ),
    Case(
        "the values of a map are narrowed",
        obj(x={"type": "object", "additionalProperties": NUMBER}),
        obj(x={"type": "object", "additionalProperties": INT}),
        FORWARD,
        FORWARD,
        (record(x={"type": "map", "values": "double"}), record(x={"type": "map", "values": "int"})),
    ),
    Case(
        "an array becomes a map",
        obj(x=array(INT)),
        obj(x={"type": "object", "additionalProperties": INT}),
        NEITHER,
        NEITHER,
        (record(x=array("int")), record(x={"type": "map", "values": "int"})),
    ),
    Case(
        "a class that holds itself gets a field with a default",
        tree(),
        tree(name=TEXT),
        BOTH,
        BOTH,
        (avro_tree(), avro_tree(name=zero("string", ""))),
    ),
    Case(
        "a class that holds itself gets another type",
        tree(),
        {
            "$ref": "#/$defs/Node",
            "$defs": {"Node": obj("next", value=TEXT, next={"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]})},
        },
        NEITHER,
        NEITHER,
        (avro_tree(), record("Node", value="string", next={"type": ["null", "Node"], "default": None})),
    ),
    Case(
        "a class gets another name",
        obj(x=INT),
        obj(x=INT),
        NEITHER,
        BOTH,
        (record("R", x="int"), record("S", x="int")),
        "messages have a logical name; what its class is called is not sent",
    ),
    Case(
        "fixed bytes get another size",
        obj(x={**TEXT, "minLength": 4, "maxLength": 4}),
        obj(x={**TEXT, "minLength": 8, "maxLength": 8}),
        NEITHER,
        NEITHER,
        (record(x={"type": "fixed", "name": "F", "size": 4}), record(x={"type": "fixed", "name": "F", "size": 8})),
    ),
    Case(
        "fields change their order",
        obj(a=INT, b=TEXT),
        obj(b=TEXT, a=INT),
        BOTH,
        BOTH,
        (record(a="int", b="string"), record(b="string", a="int")),
    ),
    Case(
        "the documentation changes",
        obj(a=INT),
        {**obj(a={**INT, "title": "A"}), "description": "new"},
        BOTH,
        BOTH,
        (record(a="int"), {**record(a="int"), "doc": "new"}),
    ),
    Case(
        "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL",
        obj(a=INT),
        obj("x", a=INT, x=INT),
        FORWARD,
        BOTH,
        why="Confluent reckons with old messages that had a field of this name and another type; a class has no such",
    ),
    Case(
        "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL",
        obj(a=INT, closed=True),
        obj("x", a=INT, x=INT, closed=True),
        BACKWARD,
        BACKWARD,
    ),
    Case("REQUIRED_ATTRIBUTE_ADDED", obj("x", x=INT), obj(x=INT), FORWARD, FORWARD),
    Case(
        "REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED",
        obj("x", x={**INT, "default": 0}),
        obj(x={**INT, "default": 0}),
        BOTH,
        FORWARD,
        why="a field that is required is refused where it is missing, whatever its schema notes",
    ),
    Case(
        "ADDITIONAL_PROPERTIES_REMOVED",
        obj(a=INT),
        obj(a=INT, closed=True),
        FORWARD,
        BOTH,
        why="old classes send the fields that they have; later ones are compared as such",
    ),
    Case(
        "ADDITIONAL_PROPERTIES_NARROWED",
        {"type": "object", "additionalProperties": NUMBER},
        {"type": "object", "additionalProperties": INT},
        FORWARD,
        FORWARD,
    ),
    Case("MINIMUM_INCREASED", {**INT, "minimum": 1}, {**INT, "minimum": 2}, FORWARD, FORWARD),
    Case(
        "EXCLUSIVE_MAXIMUM_DECREASED",
        {**NUMBER, "exclusiveMaximum": 2},
        {**NUMBER, "exclusiveMaximum": 1},
        FORWARD,
        FORWARD,
    ),
    Case("MAX_LENGTH_DECREASED", {**TEXT, "maxLength": 9}, {**TEXT, "maxLength": 8}, FORWARD, FORWARD),
    Case("MIN_LENGTH_ADDED", TEXT, {**TEXT, "minLength": 1}, FORWARD, FORWARD),
    Case("PATTERN_ADDED", TEXT, {**TEXT, "pattern": "^a"}, FORWARD, FORWARD),
    Case("PATTERN_CHANGED", {**TEXT, "pattern": "^b"}, {**TEXT, "pattern": "^a"}, NEITHER, NEITHER),
    Case("MULTIPLE_OF_EXPANDED", {**INT, "multipleOf": 2}, {**INT, "multipleOf": 4}, FORWARD, FORWARD),
    Case("MIN_ITEMS_INCREASED", {**array(INT), "minItems": 1}, {**array(INT), "minItems": 2}, FORWARD, FORWARD),
    Case("UNIQUE_ITEMS_ADDED", array(INT), {**array(INT), "uniqueItems": True}, FORWARD, FORWARD),
    Case("ENUM_ARRAY_NARROWED", {"enum": [1, 2]}, {"enum": [1]}, FORWARD, FORWARD),
    Case("TYPE_NARROWED", NUMBER, INT, FORWARD, FORWARD),
    Case("SUM_TYPE_EXTENDED", INT, {"oneOf": [INT, TEXT]}, BACKWARD, BACKWARD),
    Case(
        "the format of a string changes",
        {**TEXT, "format": "date"},
        {**TEXT, "format": "uuid"},
        BOTH,
        NEITHER,
        why="Confluent leaves formats out; our classes decode them",
    ),
]
