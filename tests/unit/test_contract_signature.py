"""A task's calls as a schema."""

import datetime
import enum
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import pydantic
import pytest

from postroom import ConfigError, Secret
from postroom.contracts.breaks import Kind, Whom
from postroom.contracts.compare import compare
from postroom.contracts.samples import golden
from postroom.contracts.signature import Signature
from postroom.jobs.errors import DecodeError
from postroom.jobs.signature import Signature as Typed


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
def modelled(model: Model) -> None: ...
def bounded(n: Annotated[int, msgspec.Meta(ge=1)]) -> None: ...
def implied(note: str = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013
def called(self: int, cls: int = 0, _x: int = 0) -> None: ...
def title(title: str, description: int = 0) -> None: ...


def of(function: Callable[..., Any]) -> Signature:
    """As of a task of this function."""
    found = Typed.of("task", function)
    return Signature(function, found.types if found else {})


@pytest.mark.parametrize(
    ("function", "document", "told"),
    [
        (plain, {}, "required field `order_id`"),
        (plain, {"order_id": "1"}, r"Expected `int`, got `str` - at `\$.order_id`"),
        (plain, {"order_id": 1, "colour": 1}, "unknown field `colour`"),
        (bounded, {"n": 0}, ">= 1"),
        (modelled, {"model": {"name": "a"}}, "at least 2 characters"),
    ],
)
def test_documents_that_are_no_calls(function: Callable[..., Any], document: dict[str, Any], told: str) -> None:
    with pytest.raises(DecodeError, match=told):
        of(function).check(document)


def test_a_type_without_a_schema_is_named() -> None:
    def packed(ext: msgspec.msgpack.Ext) -> None: ...

    with pytest.raises(ConfigError, match="Ext"):
        of(packed).schema()


def test_of_a_task_that_is_not_typed_only_the_names_count() -> None:
    signature = Signature(plain, {})
    signature.check({"order_id": "no number"})
    assert signature.schema()["properties"] == {"order_id": {}, "note": {}}
    assert signature.schema()["required"] == ["order_id"]


def test_the_schema_is_an_object_with_the_order_of_its_parameters() -> None:
    assert of(plain).schema() == {
        "type": "object",
        "properties": {"order_id": {"type": "integer"}, "note": {"type": "string"}},
        "required": ["order_id"],
        "additionalProperties": False,
        "x-positional": ["order_id", "note"],
    }
    assert of(ordered).schema()["x-positional-only"] == ["a"]
    assert of(open_ended).schema()["x-rest"] == {"type": "integer"}
    assert of(title).schema()["properties"].keys() == {"title", "description"}
    assert "Part" in of(modelled).schema()["$defs"]


@pytest.mark.parametrize(
    "function", [plain, everything, ordered, open_ended, implied, modelled, bounded, called, title]
)
def test_the_golden_sample_of_a_signature_is_a_call(function: Callable[..., Any]) -> None:
    signature = of(function)
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
    before, after = of(old).schema(), of(new).schema()
    assert {(told.kind, told.path) for told in compare(before, after, Whom.NEW)} == backward
    assert {(told.kind, told.path) for told in compare(after, before, Whom.OLD)} == forward
