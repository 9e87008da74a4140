"""What was read is sent on whole: with what its class does not know, and with the changes that were made."""

import typing
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, NamedTuple, TypedDict

import msgspec
import pydantic
import pytest

from postroom.jobs.codecs import JSON
from postroom.jobs.origins import Origins


class Kind(Enum):
    WEB = "web"
    SHOP = "shop"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "Kind":
        return cls.UNKNOWN


@dataclass
class Line:
    sku: str
    count: int = 1


@dataclass
class Order:
    id: int
    kind: Kind
    lines: list[Line]
    by_shop: dict[str, Line]
    first: Line | None = None
    tags: tuple[str, ...] = ()
    note: str = ""


@dataclass(slots=True, frozen=True)
class FrozenLine:
    sku: str
    count: int = 1


@dataclass(slots=True, frozen=True)
class FrozenOrder:
    id: int
    kind: Kind
    lines: list[FrozenLine]
    by_shop: dict[str, FrozenLine]
    first: FrozenLine | None = None
    tags: tuple[str, ...] = ()
    note: str = ""


class StructLine(msgspec.Struct, gc=False):
    sku: str
    count: int = 1


class StructOrder(msgspec.Struct, rename={"by_shop": "byShop"}):
    id: int
    kind: Kind
    lines: list[StructLine]
    by_shop: dict[str, StructLine]
    first: StructLine | None = None
    tags: tuple[str, ...] = ()
    note: str = ""


class SparseLine(msgspec.Struct, omit_defaults=True):
    sku: str
    count: int = 1


class SparseOrder(msgspec.Struct, omit_defaults=True):
    id: int
    kind: Kind
    lines: list[SparseLine]
    by_shop: dict[str, SparseLine]
    first: SparseLine | None = None
    tags: tuple[str, ...] = ()
    note: str = ""


class DictLine(TypedDict):
    sku: str
    count: typing.NotRequired[int]


class DictOrder(TypedDict):
    id: int
    kind: Kind
    lines: list[DictLine]
    by_shop: dict[str, DictLine]
    first: typing.NotRequired[DictLine | None]
    tags: typing.NotRequired[tuple[str, ...]]
    note: typing.NotRequired[str]


class ModelLine(pydantic.BaseModel):
    sku: str
    count: int = 1


class ModelOrder(pydantic.BaseModel):
    id: int
    kind: Kind
    lines: list[ModelLine]
    by_shop: dict[str, ModelLine] = pydantic.Field(alias="byShop")
    first: ModelLine | None = None
    tags: tuple[str, ...] = ()
    note: str = ""


KINDS: list[Any] = [Order, FrozenOrder, StructOrder, SparseOrder, DictOrder, ModelOrder]
CAMEL = {StructOrder, ModelOrder}
OPEN: list[Any] = [Order, StructOrder, SparseOrder, DictOrder, ModelOrder]
"""Those that can be changed where they are."""


def document(kind: Any = Order) -> dict[str, Any]:
    """An order as a later version writes it."""
    shops = "byShop" if kind in CAMEL else "by_shop"
    return {
        "added": {"deep": [1, None, {"x": 1.5}]},
        "id": 7,
        "kind": "fax",
        "lines": [
            {"sku": "a", "colour": "red"},
            {"colour": "blue", "sku": "b", "count": 2},
            {"sku": "c", "colour": "teal"},
        ],
        shops: {"paris": {"sku": "p", "colour": "grey"}, "rome": {"sku": "r", "colour": "pink"}},
        "first": {"sku": "f", "colour": "white"},
        "tags": ["x", "y"],
    }


def read(kind: Any, given: Any) -> tuple[Any, Callable[[Any], Any]]:
    """The value of a document, and what is sent on for a value."""
    value = msgspec.convert(given, kind, dec_hook=lambda to, plain: to.model_validate(plain))
    origins = Origins(JSON.plain)
    origins.remember(value, given)
    return value, lambda sent: origins.laying().document(sent)


def get(value: Any, name: str) -> Any:
    return value[name] if isinstance(value, dict) else getattr(value, name)


def put(value: Any, name: str, new: Any) -> None:
    value.__setitem__(name, new) if isinstance(value, dict) else setattr(value, name, new)


def line(order: Any, **fields: Any) -> Any:
    """A new line of the class that this order's lines have."""
    return type(get(order, "first"))(**fields)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_changed_is_the_same_document(kind: Any) -> None:
    value, sent = read(kind, document(kind))
    assert sent(value) == document(kind)
    assert list(sent(value)) == list(document(kind)), "in the same order, too"
    assert sent([value, {"a": value}]) == [document(kind), {"a": document(kind)}]


@pytest.mark.parametrize("kind", OPEN)
def test_changes_are_laid_over_the_document(kind: Any) -> None:
    value, sent = read(kind, document(kind))
    put(value, "id", 8)
    put(value, "note", "hurry")
    put(value, "tags", ("z",))
    put(get(value, "first"), "count", 5)
    put(get(value, "lines")[1], "sku", "B")
    shops = get(value, "by_shop")
    put(shops["rome"], "count", 3)
    del shops["paris"]
    shops["oslo"] = line(value, sku="o", count=9)
    expected = document(kind)
    expected |= {"id": 8, "note": "hurry", "tags": ["z"]}
    expected["first"]["count"] = 5
    expected["lines"][1]["sku"] = "B"
    places = expected["byShop" if kind in CAMEL else "by_shop"]
    places["rome"]["count"] = 3
    del places["paris"]
    places["oslo"] = {"sku": "o", "count": 9}
    assert sent(value) == expected


@pytest.mark.parametrize("kind", OPEN)
def test_a_value_of_an_enum_that_is_not_known_is_written_back_until_it_is_changed(kind: Any) -> None:
    value, sent = read(kind, document(kind))
    assert get(value, "kind") is Kind.UNKNOWN
    assert sent(value)["kind"] == "fax"
    put(value, "kind", Kind.WEB)
    assert sent(value)["kind"] == "web"


def test_a_list_of_unknown_values_keeps_each() -> None:
    value, sent = read(list[Kind], ["fax", "web", "telex"])
    assert sent(value) == ["fax", "web", "telex"]
    value.pop(1)
    assert sent(value) == ["fax", "telex"]
    value.insert(0, Kind.SHOP)
    assert sent(value) == ["shop", "fax", "telex"]
    value.reverse()
    assert sent(value) == ["telex", "fax", "shop"] or sent(value) == ["fax", "telex", "shop"]


def test_an_unset_default_and_a_reset_one() -> None:
    value, sent = read(SparseOrder, {"id": 1, "kind": "web", "lines": [], "by_shop": {}, "note": "", "more": 1})
    assert sent(value)["note"] == ""
    value.note = "x"
    assert sent(value)["note"] == "x"
    value, sent = read(SparseOrder, {"id": 1, "kind": "web", "lines": [], "by_shop": {}, "note": "x", "more": 1})
    value.note = ""
    assert sent(value) == {"id": 1, "kind": "web", "lines": [], "by_shop": {}, "more": 1}


RED, BLUE, TEAL = document()["lines"]


@pytest.mark.parametrize("kind", [Order, StructOrder, DictOrder])
def test_an_item_keeps_its_document_wherever_it_is_moved(kind: Any) -> None:
    value, sent = read(kind, document(kind))
    lines = get(value, "lines")
    new = line(value, sku="new", count=1)
    first, second, third = lines
    for changed, expected in (
        ([second, first, third], [BLUE, RED, TEAL]),
        ([third], [TEAL]),
        ([new, first, second, third], [{"sku": "new", "count": 1}, RED, BLUE, TEAL]),
        ([first, first], [RED, RED]),
        ([], []),
    ):
        put(value, "lines", changed)
        assert sent(value)["lines"] == expected
    put(value, "first", second)
    assert sent(value)["first"] == BLUE
    assert sent([third, first]) == [TEAL, RED], "alone, too"
    put(second, "sku", "B")
    put(value, "lines", [third, second])
    assert sent(value)["lines"] == [TEAL, {**BLUE, "sku": "B"}]


def test_a_new_item_stands_for_the_one_in_its_place_where_the_list_is_as_long_as_it_was() -> None:
    value, sent = read(FrozenOrder, document())
    first, second, third = value.lines
    value.lines[:] = [replace(one, count=4) for one in value.lines]
    assert sent(value)["lines"] == [{**RED, "count": 4}, {**BLUE, "count": 4}, {**TEAL, "count": 4}]
    value.lines[:] = [third, replace(second, count=4), first]
    assert sent(value)["lines"] == [TEAL, {**BLUE, "count": 4}, RED]
    value.lines[:] = [second, FrozenLine("new"), third]
    assert sent(value)["lines"] == [BLUE, {"sku": "new", "count": 1}, TEAL], "that one has moved"
    value.lines[:] = [replace(second, count=4), third]
    assert sent(value)["lines"] == [{"sku": "b", "count": 4}, TEAL], "nobody knows whose place it has"
    value.lines[:] = [FrozenLine("b", 2)]
    assert sent(value)["lines"] == [BLUE], "it says what one said that is gone"


def test_items_inside_of_models_are_told_by_what_they_say() -> None:
    value, sent = read(ModelOrder, document(ModelOrder))
    del value.lines[0]
    assert sent(value)["lines"] == [BLUE, TEAL]
    value.lines[0].count = 5
    assert sent(value)["lines"] == [{"sku": "b", "count": 5}, TEAL]
    value.lines.insert(0, ModelLine(sku="a"))
    assert sent(value)["lines"] == [RED, {**BLUE, "count": 5}, TEAL]


def test_what_stands_in_a_field_is_laid_over_what_stood_there_if_it_is_of_the_same_class() -> None:
    @dataclass
    class Other:
        sku: str

    value, sent = read(Order, document())
    value.first = replace(value.first, count=3)
    assert sent(value)["first"] == {"sku": "f", "colour": "white", "count": 3}
    value.first = Other("f")
    assert sent(value)["first"] == {"sku": "f"}
    value.first = None
    assert sent(value)["first"] is None


def test_an_object_that_was_made_here_is_written_as_it_is() -> None:
    _, sent = read(Order, document())
    other = Order(1, Kind.UNKNOWN, [], {})
    assert sent(other) == JSON.plain(other)
    assert sent(7) == 7
    assert sent({"a": {1, 2}, 3: ()}) == {"a": [1, 2], "3": []}
    assert sent({1: "a", "1": "b"}) == {"1": "b"}


def test_true_is_not_one() -> None:
    value, sent = read(dict[str, Any], {"a": 1, "b": [1]})
    value |= {"a": True, "b": [True]}
    assert msgspec.json.encode(sent(value)) == b'{"a":true,"b":[true]}'


class Point(NamedTuple):
    x: int
    line: Line


class Row(msgspec.Struct, array_like=True, tag="row"):
    line: Line


class Table(msgspec.Struct):
    point: Point
    row: Row
    ids: dict[int, Line]


def test_a_default_that_was_left_out_stays_out_though_a_copy_has_it() -> None:
    @dataclass
    class Sale:
        id: int
        kind: Kind = Kind.WEB
        line: Line | None = None

    for given in ({"id": 1, "more": 1}, {"id": 1, "line": {"sku": "a", "more": 1}}):
        value, sent = read(Sale, given)
        assert sent(value) == given
        origins = Origins(JSON.plain)
        origins.remember(value, given)
        other = replace(value, id=2)
        origins.succeed(value, other)
        assert origins.laying().document(other) == {**given, "id": 2}
        origins.succeed(value, changed := replace(value, kind=Kind.SHOP))
        assert origins.laying().document(changed) == {**given, "kind": "shop"}


def test_what_is_written_as_an_array() -> None:
    given = {"point": [1, dict(RED)], "row": ["row", dict(BLUE)], "ids": {"1": dict(TEAL)}}
    value = msgspec.json.decode(msgspec.json.encode(given), type=Table)
    origins = Origins(JSON.plain)
    origins.remember(value, given)
    value.point = value.point._replace(x=2)
    value.row.line.count = 5
    value.ids[1].count = 6
    assert origins.laying().document(value) == {
        "point": [2, RED],
        "row": ["row", {**BLUE, "count": 5}],
        "ids": {"1": {**TEAL, "count": 6}},
    }
