"""The rules: where a break is, whom it breaks, what the text says; and that comparing ends."""

from typing import Any, Literal

import msgspec
import pytest

from postroom.contracts.breaks import Break, Kind, Whom
from postroom.contracts.compare import compare
from postroom.contracts.schema import normal
from postroom.jobs.errors import ConfigError

INT, TEXT = {"type": "integer"}, {"type": "string"}


def breaks(writer: Any, reader: Any, whom: Whom = Whom.NEW) -> list[Break]:
    return compare(normal(writer), normal(reader), whom)


def where(writer: Any, reader: Any) -> set[tuple[str, str]]:
    return {(told.kind, told.path) for told in breaks(writer, reader)}


def obj(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields)}


def test_a_break_names_its_place_its_change_whom_it_breaks_and_the_fix() -> None:
    (told,) = breaks(
        obj(lines={"type": "array", "items": obj(price=INT)}),
        obj(lines={"type": "array", "items": obj(price=TEXT)}),
        Whom.OLD,
    )
    assert told.path == "$.lines[].price"
    assert told.change == "new messages may have integer, old readers take string"
    assert told.whom == "old readers of new messages"
    assert "min_reader" in told.fix


@pytest.mark.parametrize(
    ("writer", "reader", "expected"),
    [
        (
            obj(a={"type": "object", "additionalProperties": INT}),
            obj(a={"type": "object", "additionalProperties": TEXT}),
            {("type", "$.a.*")},
        ),
        (obj(a=INT, b=INT), {"type": "object", "additionalProperties": TEXT}, {("type", "$.a"), ("type", "$.b")}),
        ({"type": "object", "additionalProperties": INT}, obj(a=TEXT), {("type", "$.a"), ("missing", "$.a")}),
        ({"type": "object", "additionalProperties": INT}, {**obj(), "additionalProperties": False}, {("extra", "$.*")}),
        ({"type": "object"}, {"type": "object", "additionalProperties": INT}, {("type", "$.*")}),
        (
            {"type": "object", "additionalProperties": INT},
            {"type": "object", "additionalProperties": INT, "propertyNames": {"format": "uuid", "type": "string"}},
            {("bounds", "$.*")},
        ),
        (
            {"type": "array", "prefixItems": [INT], "items": False},
            {"type": "array", "prefixItems": [TEXT], "items": False},
            {("type", "$[0]")},
        ),
        ({"type": "array", "items": INT}, {"type": "array", "prefixItems": [INT], "items": False}, {("bounds", "$[]")}),
        ({"type": "array", "prefixItems": [INT, INT], "items": False}, {"type": "array", "items": INT}, set()),
        (
            {"type": "array", "items": INT, "maxItems": 1},
            {"type": "array", "prefixItems": [INT], "items": False},
            set(),
        ),
        ({}, INT, {("type", "$")}),
        ({"type": "object", "x-message": "a"}, {"type": "object", "x-message": "b"}, {("type", "$")}),
        ({"type": "object", "x-message": "a"}, {"type": "object", "x-message": "a"}, set()),
        ({"type": "object", "x-message": "a"}, {"type": "object"}, set()),
        (INT, {}, set()),
        (obj(a=True), obj(a=INT), {("type", "$.a")}),
        (TEXT, {"enum": ["a"]}, {("type", "$")}),
        (TEXT, {"enum": ["a", "unknown"]}, set()),
        (TEXT, {"enum": ["a"], "x-unknown": True}, set()),
        ({"type": "boolean"}, {"enum": [True, False]}, set()),
        ({"type": "boolean"}, {"enum": [True]}, {("type", "$")}),
        ({"enum": [1]}, {"enum": [True]}, {("values", "$")}),
        ({"enum": ["a", 1, None]}, {"anyOf": [TEXT, INT, {"type": "null"}]}, set()),
        ({"const": "a"}, {"type": "string", "pattern": "^b"}, {("values", "$")}),
        ({"const": 3}, {"type": "integer", "maximum": 2}, {("values", "$")}),
        ({"const": 4}, {"type": "integer", "multipleOf": 2, "minimum": 4}, set()),
        ({"const": "a"}, {"type": "string", "format": "date"}, {("values", "$")}),
        ({"type": "integer", "exclusiveMinimum": 0}, {"type": "integer", "minimum": 1}, set()),
        ({"type": "number", "exclusiveMinimum": 0}, {"type": "number", "minimum": 0}, set()),
        ({"type": "number", "minimum": 0}, {"type": "number", "exclusiveMinimum": 0}, {("bounds", "$")}),
        ({"type": "string"}, {"type": "string", "minLength": 0}, set()),
        (obj(a=INT), {**obj(a=INT), "dependentRequired": {"a": ["b"]}}, {("unjudged", "$")}),
        ({"not": INT}, {"not": INT}, set()),
        (INT, {"allOf": [INT, {"minimum": 3}]}, {("unjudged", "$")}),
        ({"allOf": [INT], "default": 3}, INT, set()),
        (INT, False, {("unjudged", "$")}),
        (TEXT, {"$ref": "#/$defs/T", "maxLength": 3, "$defs": {"T": TEXT}}, {("unjudged", "$"), ("bounds", "$")}),
        (TEXT, {"anyOf": [TEXT], "maxLength": 3}, {("unjudged", "$"), ("bounds", "$")}),
        ({}, {"properties": {"a": INT}}, {("unjudged", "$")}),
        ({"type": "array", "uniqueItems": True}, {"type": "array", "uniqueItems": True}, set()),
        (obj(a=INT), {"anyOf": [{"items": {}, "type": "array"}, obj(a=TEXT)]}, {("type", "$.a")}),
    ],
)
def test_places(writer: Any, reader: Any, expected: set[tuple[str, str]]) -> None:
    assert where(obj(w=writer), obj(w=reader)) == {(kind, f"$.w{path[1:]}") for kind, path in expected}


class Card(msgspec.Struct, tag="card"):
    number: str


class Card2(msgspec.Struct, tag="card"):
    number: int


class Cash(msgspec.Struct, tag="cash"):
    paid: bool = True


class Pix(msgspec.Struct, tag="pix"):
    key: Literal["a", "b"]


def union(kind: Any) -> dict[str, Any]:
    return msgspec.json.schema(kind)


def test_of_a_union_the_alternative_of_the_same_tag_is_meant() -> None:
    assert where(union(Card | Cash), union(Card2 | Cash)) == {("type", "$.number")}


def test_an_alternative_that_nobody_knows_is_told_as_a_whole() -> None:
    (told,) = breaks(union(Card | Cash | Pix), union(Card | Cash), Whom.OLD)
    assert (told.kind, told.path) == (Kind.TYPE, "$")
    assert "'pix'" in told.change
    assert where(union(Card), union(Card | Cash)) == set()
    assert where(union(Cash), union(Card)) == {("values", "$.type"), ("missing", "$.number")}


def test_a_renamed_field_is_recognised() -> None:
    (told,) = breaks(obj(total=INT), obj(amount=INT))
    assert "`total`" in told.fix
    assert "alias" in told.fix
    assert all("alias" not in one.fix for one in breaks(obj(total=INT), obj(amount=INT), Whom.OLD))
    (other,) = breaks(obj(total=TEXT), obj(amount=INT))
    assert "alias" not in other.fix


def test_definitions_that_hold_each_other_end_and_are_told_where_they_stand() -> None:
    def pair(leaf: Any) -> dict[str, Any]:
        ref = {"a": {"$ref": "#/$defs/A"}, "b": {"$ref": "#/$defs/B"}}
        a = {"type": "object", "properties": {"b": ref["b"], "n": leaf}}
        b = {"type": "object", "properties": {"a": ref["a"], "more": {"type": "array", "items": ref["b"]}}}
        return {**obj(one=ref["a"], two=ref["b"]), "$defs": {"A": a, "B": b}}

    assert where(pair(INT), pair(INT)) == set()
    # What held while the comparison was inside of it is not taken for granted outside.
    assert {"$.one.n", "$.two.a.n"} <= {path for _, path in where(pair(INT), pair(TEXT))}


def test_many_ways_to_the_same_definition_cost_no_more_than_one() -> None:
    levels = {f"L{n}": obj(left={"$ref": f"#/$defs/L{n + 1}"}, right={"$ref": f"#/$defs/L{n + 1}"}) for n in range(60)}
    schema = {"$ref": "#/$defs/L0", "$defs": {**levels, "L60": INT}}
    assert where(schema, schema) == set()  # 2**60 ways


def test_a_union_that_holds_itself_ends() -> None:
    schema = {
        "$ref": "#/$defs/U",
        "$defs": {"U": {"anyOf": [INT, {"$ref": "#/$defs/U"}, {"type": "array", "items": {"$ref": "#/$defs/U"}}]}},
    }
    assert where(schema, schema) == set()


def test_what_is_not_judged_is_the_same_only_with_all_that_it_refers_to() -> None:
    def both(part: Any) -> dict[str, Any]:
        return {"allOf": [{"$ref": "#/$defs/A"}, {"maxLength": 3}], "$defs": {"A": part}}

    assert where(both(TEXT), both(TEXT)) == set()
    assert where(both(TEXT), both(INT)) == {("unjudged", "$")}


@pytest.mark.parametrize("reference", ["#/$defs/None", "https://example.org/schema", "#/$defs/Loop"])
def test_a_reference_that_leads_nowhere_is_told(reference: str) -> None:
    schema = {"$ref": reference, "$defs": {"Loop": {"$ref": "#/$defs/Loop"}}}
    with pytest.raises(ConfigError, match="reference"):
        breaks(schema, INT)


def test_one_meaning_has_one_form() -> None:
    one = {
        "title": "A",
        "type": "object",
        "properties": {"title": {"enum": ["b", "a"]}, "x": {"$ref": "#/$defs/X"}},
        "required": ["x", "title"],
        "$defs": {"X": {"anyOf": [TEXT, INT]}},
    }
    two = {
        "type": "object",
        "required": ["title", "x"],
        "properties": {
            "x": {"$ref": "#/$defs/X", "$defs": {"X": {"anyOf": [INT, TEXT]}}},
            "title": {"enum": ["a", "b"], "description": "d"},
        },
    }
    assert normal(one) == normal(two)
    assert set(normal(one)["properties"]) == {"title", "x"}
