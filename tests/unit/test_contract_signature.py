"""A task's signature as a schema, and calls bound to it as Python binds them."""

import datetime
import enum
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import pydantic
import pytest

from postroom import Secret
from postroom.contracts.breaks import Kind, Whom
from postroom.contracts.compare import compare
from postroom.contracts.samples import golden
from postroom.contracts.signature import Signature
from postroom.jobs.errors import DecodeError

if TYPE_CHECKING:
    from decimal import Decimal as Hidden


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Line:
    sku: str
    price: float
    made: datetime.date | None = None


class Tree(msgspec.Struct):
    name: str
    leaves: list["Tree"] = []


class Foreign:
    """No schema can be made of it."""


class Part(pydantic.BaseModel):
    at: datetime.datetime
    colour: Colour = Colour.RED


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    name: Annotated[str, pydantic.Field(min_length=2)]
    parts: list[Part] = []
    either: Annotated[int | str | None, pydantic.Field(description="one of them")] = None


class Part2(Part):
    by: str


class Model2(Model):
    parts: list[Part2] = []  # type: ignore[assignment]


def plain(order_id: int, note: str = "") -> None: ...
def everything(
    line: Line, tree: Tree, colour: Colour, at: datetime.datetime, who: uuid.UUID, pin: Secret[str]
) -> None: ...
def ordered(a: int, /, b: int, *, c: int = 0) -> None: ...
def open_ended(first: str, *rest: int, **others: Any) -> None: ...
def untyped(x, y=None): ...  # type: ignore[no-untyped-def]
def odd(thing: Foreign, count: int) -> None: ...
def hidden(price: "Hidden") -> None: ...
def modelled(model: Model) -> None: ...
def bounded(n: Annotated[int, msgspec.Meta(ge=1)]) -> None: ...
def implied(note: str = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013
def called(self: int, cls: int = 0, _x: int = 0) -> None: ...
def title(title: str, description: int = 0) -> None: ...


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (plain, [1], {}),
        (plain, [1, "n"], {}),
        (plain, [], {"order_id": 1, "note": "n"}),
        (ordered, [1, 2], {"c": 3}),
        (ordered, [1], {"b": 2}),
        (open_ended, ["a", 1, 2], {"else": None}),
        (untyped, [object], {}),
        (odd, ["whatever", 1], {}),
        (implied, [None], {}),
        (implied, ["n"], {}),
        (called, [1], {"cls": 2, "_x": 3}),
        (hidden, ["1.5"], {}),
        (modelled, [{"name": "ab", "parts": [{"at": "2026-01-01T00:00:00Z"}]}], {}),
        (
            everything,
            [{"sku": "a", "price": 1}, {"name": "t"}, "red", "2026-01-01T00:00:00Z", str(uuid.UUID(int=1)), "s"],
            {},
        ),
    ],
)
def test_calls_that_fit(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> None:
    Signature(function).bind(args, kwargs)


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "told"),
    [
        (plain, [], {}, "required field `order_id`"),
        (plain, ["1"], {}, "Expected `int`, got `str` - at `$.order_id`"),
        (plain, [1, "n", 2], {}, "takes 2 arguments by place, the call has 3"),
        (plain, [1], {"order_id": 1}, "gets `order_id` twice"),
        (plain, [1], {"colour": 1}, "unknown field `colour`"),
        (ordered, [], {"a": 1, "b": 2}, "takes `a` by place only"),
        (ordered, [1, 2, 3], {}, "takes 2 arguments by place"),
        (open_ended, ["a", "b"], {}, "Expected `int`, got `str`"),
        (everything, [{"sku": "a", "price": "1"}], {}, "$.line.price"),
        (bounded, [0], {}, ">= 1"),
        (modelled, [{"name": "a"}], {}, "at least 2 characters"),
    ],
)
def test_calls_that_do_not(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], told: str) -> None:
    with pytest.raises(DecodeError, match=told.replace("$", r"\$").replace("(", r"\(")):
        Signature(function).bind(args, kwargs)


def test_a_call_of_rqs_is_held_against_the_names_only() -> None:
    signature = Signature(plain)
    signature.bind(["no number"], {}, typed=False)
    for args, kwargs in (([], {}), ([1], {"colour": 2})):
        with pytest.raises(DecodeError):
            signature.bind(args, kwargs, typed=False)


def test_of_a_task_that_is_not_typed_only_the_names_count() -> None:
    signature = Signature(plain, typed=False)
    signature.bind(["no number"], {})
    assert signature.schema()["properties"] == {"order_id": {}, "note": {}}
    assert signature.schema()["required"] == ["order_id"]


def test_the_schema_is_an_object_with_the_order_of_its_parameters() -> None:
    assert Signature(plain).schema() == {
        "type": "object",
        "properties": {"order_id": {"type": "integer"}, "note": {"type": "string"}},
        "required": ["order_id"],
        "additionalProperties": False,
        "x-positional": ["order_id", "note"],
    }
    assert Signature(ordered).schema()["x-positional-only"] == ["a"]
    assert Signature(open_ended).schema()["x-rest"] == {"type": "integer"}
    assert Signature(title).schema()["properties"].keys() == {"title", "description"}
    assert "Part" in Signature(modelled).schema()["$defs"]


@pytest.mark.parametrize("function", [plain, everything, ordered, open_ended, odd, modelled, bounded, title])
def test_the_golden_sample_of_a_signature_is_a_call(function: Callable[..., Any]) -> None:
    signature = Signature(function)
    sample = golden(signature.schema())
    signature.check(sample)
    assert sample == golden(signature.schema()), "the same every time"


def v1(order: int, note: str = "") -> None: ...
def swapped(note: str, order: int) -> None: ...
def renamed(order: int, text: str = "") -> None: ...
def by_name(order: int, *, note: str = "") -> None: ...
def more(order: int, note: str = "", urgent: bool = False) -> None: ...
def fewer(order: int) -> None: ...
def any_more(order: int, *rest: str, **others: Any) -> None: ...
def only_rest(*rest: int, note: str = "") -> None: ...
def place_only(order: int, note: str = "", /) -> None: ...
def typed(x: int, y: None = None) -> None: ...
def remodelled(model: Model2) -> None: ...


@pytest.mark.parametrize(
    ("old", "new", "backward", "forward"),
    [
        (v1, v1, set(), set()),
        (v1, more, set(), {(Kind.EXTRA, "$.urgent")}),
        (v1, fewer, {(Kind.EXTRA, "$.note")}, set()),
        (
            v1,
            swapped,
            {(Kind.MISSING, "$.note"), (Kind.PLACE, "$.note"), (Kind.PLACE, "$.order")},
            {(Kind.PLACE, "$.note"), (Kind.PLACE, "$.order")},
        ),
        (v1, renamed, {(Kind.EXTRA, "$.note")}, {(Kind.EXTRA, "$.text")}),
        (v1, by_name, {(Kind.PLACE, "$.note")}, set()),
        (v1, any_more, set(), {(Kind.PLACE, "$.*")}),
        (v1, place_only, {(Kind.PLACE, "$.note"), (Kind.PLACE, "$.order")}, set()),
        (
            v1,
            only_rest,
            {(Kind.TYPE, "$.note"), (Kind.EXTRA, "$.order")},
            {(Kind.PLACE, "$.*"), (Kind.MISSING, "$.order")},
        ),
        (modelled, modelled, set(), set()),
        (modelled, remodelled, {(Kind.MISSING, "$.model.parts[].by")}, set()),
        (untyped, typed, {(Kind.TYPE, "$.x"), (Kind.TYPE, "$.y")}, set()),
    ],
)
def test_what_a_change_of_a_signature_breaks(
    old: Callable[..., Any], new: Callable[..., Any], backward: set[Any], forward: set[Any]
) -> None:
    before, after = Signature(old).schema(), Signature(new).schema()
    assert {(told.kind, told.path) for told in compare(before, after, Whom.NEW)} == backward
    assert {(told.kind, told.path) for told in compare(after, before, Whom.OLD)} == forward
