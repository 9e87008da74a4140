"""Signatures: what an annotation takes, what it refuses, and in which words."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import msgspec
import pydantic
import pytest

from postroom import ConfigError, InvalidMessage, Postroom, Secret
from postroom.jobs.codecs import JSON, MSGPACK, decode_call, encode_call
from postroom.jobs.errors import DecodeError
from postroom.jobs.signature import Signature

UTC_NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Line:
    sku: str
    price: Decimal


@dataclass
class Order:
    id: UUID
    lines: list[Line]
    notes: dict[str, int] = field(default_factory=dict)


class Point(msgspec.Struct):
    x: int
    y: int = 0


class Cat(msgspec.Struct, tag=True):
    lives: int


class Dog(msgspec.Struct, tag=True):
    name: str


class Movie(TypedDict):
    title: str
    year: int


class Pair(NamedTuple):
    left: int
    right: str


class Item(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    name: str = pydantic.Field(alias="itemName")
    made: datetime
    parts: list["Item"] = []


class Session:
    """What no message carries."""


ORDER = Order(UUID(int=7), [Line("a", Decimal("1.10"))])
ITEM = Item(itemName="x", made=UTC_NOON, parts=[Item(itemName="y", made=UTC_NOON)])


def signature(function: Callable[..., Any]) -> Signature:
    found = Signature.of("shop.t", function)
    assert found is not None
    return found


def through(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What the handler gets, in JSON and MessagePack alike."""
    found = signature(function)
    got = []
    for codec in (JSON, MSGPACK):
        data = encode_call("shop.t", args, kwargs, codec)
        _, plain_args, plain_kwargs = decode_call(data, codec.name, False, 1_000_000)
        found.check(data, args, kwargs, codec)
        got.append(found.read(data, plain_args, plain_kwargs, codec=codec))
    assert all(one == got[0] for one in got)
    return got[0]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Order, ORDER),
        (list[Order], [ORDER]),
        (Order | None, ORDER),
        (Order | None, None),
        (Point, Point(1)),
        (Cat | Dog, Dog("rex")),
        (Movie, {"title": "t", "year": 1}),
        (Pair, Pair(1, "r")),
        (Colour, Colour.BLUE),
        (Literal["a", 1], "a"),
        (datetime, UTC_NOON),
        (date, date(2026, 11, 26)),
        (timedelta, timedelta(seconds=1.5)),
        (UUID, UUID(int=1)),
        (Decimal, Decimal("12345678901234567890.123")),
        (bytes, b"\x00\xff"),
        (set[int], {1, 2}),
        (tuple[int, ...], (1, 2)),
        (dict[int, Point], {7: Point(1, 2)}),
        (Sequence[int], [1]),
        (Mapping[str, int], {"a": 1}),
        (Annotated[int, msgspec.Meta(ge=0)], 3),
        (Secret[Decimal], Decimal("1.5")),
        (float, 1.0),
        (Item, ITEM),
        (list[Item] | None, [ITEM]),
    ],
)
def test_a_value_comes_back_as_its_type(kind: Any, value: Any) -> None:
    def handler(x): ...  # type: ignore[no-untyped-def]

    handler.__annotations__["x"] = kind
    assert through(handler, value) == ((value,), {})
    assert through(handler, x=value) == ((), {"x": value})
    assert type(through(handler, value)[0][0]) is type(value)


def test_plain_documents_are_read_as_the_type_too() -> None:
    def handler(order: Order, colour: Colour, item: Item) -> None: ...

    document = {"id": str(UUID(int=7)), "lines": [{"sku": "a", "price": "1.10"}]}
    item = {
        "itemName": "x",
        "made": "2026-11-26T12:00:00Z",
        "parts": [{"itemName": "y", "made": "2026-11-26T12:00:00Z"}],
    }
    assert through(handler, document, "red", item=item) == ((ORDER, Colour.RED), {"item": ITEM})


def many(a: int, /, b: str, *items: Point, c: float = 1.0, **options: Decimal) -> None: ...


def test_every_way_of_calling() -> None:
    assert through(many, 1, "b") == ((1, "b"), {})
    assert through(many, 1, b="b") == ((1,), {"b": "b"})
    assert through(many, 1, "b", Point(1), {"x": 2}, c=2, rate="1.5", a="3") == (
        (1, "b", Point(1), Point(2)),
        {"c": 2.0, "rate": Decimal("1.5"), "a": Decimal(3)},
    )


@pytest.mark.parametrize(
    ("args", "kwargs", "told"),
    [
        ((), {}, "shop.t: missing a required .*argument: 'a'"),
        ((1,), {}, "shop.t: missing a required argument: 'b'"),
        ((1, "b"), {"b": "b"}, "shop.t: multiple values for argument 'b'"),
        (("1", "b"), {}, "shop.t: a: expected `int`, got `str`"),
        ((1, "b", {"x": 1}, {"x": "1"}), {}, r"shop.t: items\[1\].x: expected `int`, got `str`"),
        ((1, "b"), {"c": "x"}, "shop.t: c: expected `float`, got `str`"),
        ((1, "b"), {"rate": "x"}, "shop.t: rate: .*decimal"),
    ],
)
def test_a_call_that_does_not_fit_is_refused(args: Any, kwargs: Any, told: str) -> None:
    with pytest.raises(InvalidMessage, match=told):
        through(many, *args, **kwargs)


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ({"id": str(UUID(int=7)), "lines": [{"sku": "a", "price": "1"}] * 2 + [{"sku": "a", "price": []}]},
         r"order\.lines\[2\]\.price: expected `decimal`, got `array`"),
        ({"id": "7", "lines": []}, r"order\.id: invalid UUID"),
        ({"id": str(UUID(int=7))}, "order: object missing required field `lines`"),
        ({"id": str(UUID(int=7)), "lines": [], "notes": {"a": "b"}}, r"order\.notes\[\.\.\.\]: expected `int`"),
        (Order(UUID(int=7), [Line("a", "x" * 3)]), r"order\.lines\[0\]\.price: invalid decimal"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_an_error_names_the_path(order: Any, told: str) -> None:
    def by_place(number: int, order: Order) -> None: ...

    for args, kwargs in (((1, order), {}), ((1,), {"order": order})):
        with pytest.raises(InvalidMessage, match=f"^shop.t: {told}"):
            through(by_place, *args, **kwargs)
        data = encode_call("shop.t", args, kwargs)
        with pytest.raises(DecodeError, match=f"^shop.t: {told}"):
            signature(by_place).read(data, args, kwargs)


def test_the_path_of_a_key_and_of_a_models_field() -> None:
    def handler(prices: dict[int, int], item: list[Item]) -> None: ...

    with pytest.raises(InvalidMessage, match="a key of prices: expected `int`, got `str`"):
        through(handler, {"a": 1}, [])
    with pytest.raises(InvalidMessage, match=r"item\[0\]\.parts\[0\]\.made: Input should be a valid datetime|input"):
        through(
            handler,
            {},
            [{"itemName": "x", "made": "2026-11-26T12:00:00Z", "parts": [{"itemName": "y", "made": "x"}]}],
        )


def test_what_is_not_annotated_is_not_checked() -> None:
    def bare(a, b=None, *c, **d): ...  # type: ignore[no-untyped-def]
    def anything(a: Any, b: object) -> int: ...  # type: ignore[empty-body]
    def half(a, b: int): ...  # type: ignore[no-untyped-def]

    assert Signature.of("t", bare) is None
    assert Signature.of("t", anything) is None
    assert through(half, [{"any": 1}], 2) == (([{"any": 1}], 2), {})


def test_a_default_of_none_takes_none() -> None:
    def handler(a: int = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013

    assert through(handler, None) == ((None,), {})


def test_a_decorated_function_is_read_as_what_it_wraps() -> None:
    def handler(order: "Order") -> None: ...

    @functools.wraps(handler)
    def wrapper(*args: Any, **kwargs: Any) -> None: ...

    assert through(wrapper, ORDER) == ((ORDER,), {})


@pytest.mark.parametrize("kind", [Session, list[Session], dict[str, Session | None], Callable[[], int], complex])
def test_a_type_that_no_message_carries(kind: Any, app_without_server: Callable[[], Postroom]) -> None:
    def handler(first: int, session): ...  # type: ignore[no-untyped-def]

    handler.__annotations__["session"] = kind
    app = app_without_server()
    with pytest.raises(ConfigError, match=r"task t, parameter session: .*typed=False"):
        app.task(name="t")(handler)
    assert not app.tasks
    app.task(name="t", typed=False)(handler)
    assert app.tasks["t"].signature is None


@pytest.mark.parametrize("kind", [Order | Point, 3, "a text", "3 +"])
def test_an_annotation_that_is_no_type(kind: Any) -> None:
    def handler(what): ...  # type: ignore[no-untyped-def]

    handler.__annotations__["what"] = kind
    with pytest.raises(ConfigError, match=r"task shop\.t, parameter what: the annotation .*typed=False"):
        Signature.of("shop.t", handler)


def test_a_name_may_come_later(app_without_server: Callable[[], Postroom]) -> None:
    app = app_without_server()

    def handler(what: "Later") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    app.task(name="t")(handler)
    told = "task t, parameter what: the annotation 'Later' names 'Later', which is not there: import it"
    with pytest.raises(ConfigError, match=told):
        app.load()
    with pytest.raises(ConfigError, match=told):
        app.enqueue("t", 1)
    globals()["Later"] = Point
    try:
        app.load()
        found = app.tasks["t"].signature
        assert found is not None
        assert found.types == {"what": Point}
    finally:
        del globals()["Later"]


def test_shapes_that_data_can_make_are_not_kept_without_end() -> None:
    found = signature(many)
    for number in range(600):
        kwargs = {f"k{number}": 1}
        found.read(encode_call("t", (1, "b"), kwargs), (1, "b"), kwargs)
    assert found._decoder.cache_info().currsize <= 256
