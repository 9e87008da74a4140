"""Documents made from schemas: always the same, always valid, never endless."""

import datetime
import decimal
import enum
import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, Optional, TypedDict

import msgspec
import pytest

from postroom.contracts.breaks import Whom
from postroom.contracts.compare import compare
from postroom.contracts.derive import derive
from postroom.contracts.samples import STRANGE, golden, variants, with_extras
from postroom.contracts.schema import shape
from postroom.jobs.errors import ConfigError


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Card(msgspec.Struct, tag="card"):
    number: Annotated[str, msgspec.Meta(min_length=4, max_length=4)]


class Cash(msgspec.Struct, tag="cash"):
    paid: bool


class Node(msgspec.Struct):
    value: int
    left: Optional["Node"] = None
    children: list["Node"] = []
    named: dict[str, "Node"] = {}


class Point(NamedTuple):
    x: int
    y: float = 0.0


class Loose(TypedDict, total=False):
    a: int


@dataclass
class Everything:
    number: Annotated[int, msgspec.Meta(gt=10, lt=20, multiple_of=5)]
    below: Annotated[float, msgspec.Meta(lt=-2)]
    pay: Card | Cash
    colour: Colour
    word: Literal["a", "b"]
    when: datetime.datetime
    day: datetime.date
    hour: datetime.time
    long: datetime.timedelta
    who: uuid.UUID
    price: decimal.Decimal
    raw: bytes
    pair: tuple[int, str]
    several: Annotated[list[int], msgspec.Meta(min_length=2)]
    unique: set[str]
    by_name: dict[str, float]
    by_id: dict[uuid.UUID, int]
    by_colour: dict[Colour, int]
    by_number: dict[int, datetime.datetime]
    times: list[datetime.time] | None
    point: Point
    loose: Loose
    tree: Node
    maybe: int | None
    anything: Any
    code: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
    later: str = "x"


def schema_of(kind: Any) -> dict[str, Any]:
    return derive(kind)


def test_every_sample_and_every_variant_is_of_its_type() -> None:
    schema = schema_of(Everything)
    assert golden(schema) == golden(schema)
    made = list(variants(schema))
    for document in made:
        msgspec.convert(document, Everything, str_keys=True)
    assert {document["pay"]["type"] for document in made} == {"card", "cash"}
    assert {document["colour"] for document in made} == {"red", "blue"}
    assert {document["maybe"] is None for document in made} == {True, False}
    assert {"later" in document for document in made} == {True, False}


def test_a_class_that_holds_itself_ends() -> None:
    assert golden(schema_of(Node)) == {"value": 1, "children": [], "named": {}, "left": None}


def test_a_class_that_requires_itself_has_no_sample() -> None:
    schema = {
        "$ref": "#/$defs/A",
        "$defs": {"A": {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "required": ["a"]}},
    }
    with pytest.raises(ConfigError, match="requires itself"):
        golden(schema)


def test_a_pattern_that_nobody_can_guess_wants_a_sample() -> None:
    with pytest.raises(ConfigError, match=r"--sample NAME=FILE"):
        golden({"type": "string", "pattern": "^[0-9]{3}-[0-9]{4}$"})


def test_extras_go_where_a_class_would_take_them() -> None:
    schema = schema_of(Everything)
    richer = with_extras(schema, golden(schema))
    assert richer[STRANGE] == 1
    assert richer["tree"][STRANGE] == 1
    assert STRANGE not in richer["by_name"]
    msgspec.convert(richer, Everything, str_keys=True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (str, datetime.datetime),
        (list[str], list[datetime.time]),
        (str | None, datetime.datetime | None),
        (dict[str, str], dict[str, datetime.datetime]),
        (dict[str, int], dict[uuid.UUID, int]),
        (dict[str, int], dict[int, int]),
        (tuple[str, int], tuple[datetime.datetime, int]),
    ],
)
def test_a_text_that_becomes_a_time_or_another_key_is_seen(old: Any, new: Any) -> None:
    before = derive(msgspec.defstruct("A", [("x", old)]))
    after = derive(msgspec.defstruct("A", [("x", new)]))
    assert compare(before, after, Whom.NEW)
    assert not compare(after, before, Whom.OLD)
    assert not compare(after, after, Whom.NEW)


def test_a_class_that_is_renamed_has_the_same_shape() -> None:
    def line(name: str, of: Any) -> Any:
        return derive(msgspec.defstruct("Order", [("lines", list[msgspec.defstruct(name, [("x", of)])])]))  # type: ignore[misc]

    assert shape(line("Line", int)) == shape(line("Position", int))
    assert shape(line("Line", int)) != shape(line("Line", str))
    assert shape(derive(Node)) != shape(derive(Card))
