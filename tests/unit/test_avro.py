"""Avro: what a task's types become, what comes back, and data or schemas that would cost a careless reader dearly."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from io import BytesIO
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict
from uuid import UUID

import fastavro
import msgspec
import pydantic
import pytest
from avro.io import BinaryDecoder, DatumReader
from avro.schema import parse
from hypothesis import given
from hypothesis import strategies as st

from postroom import ConfigError, InvalidMessage, Postroom, message
from postroom.jobs import avro, contracts
from postroom.jobs.codecs import AVRO, Codec, decode_call, encode_call
from postroom.jobs.errors import DecodeError, EncodeError, UnknownSchema
from postroom.jobs.signature import Signature

LIMIT = 1_000_000


class Kind(Enum):
    WEB = "web"
    SHOP = "shop"


@dataclass
class Line:
    sku: str
    price: Decimal
    count: int = 1


class Cat(msgspec.Struct, tag=True):
    lives: int


class Dog(msgspec.Struct, tag=True):
    lives: int
    name: str = ""


class Movie(TypedDict):
    title: str
    year: NotRequired[int | None]


class Pair(NamedTuple):
    left: int
    right: str


@dataclass
class Order:
    id: UUID
    placed: datetime
    kind: Kind
    lines: list[Line]
    scan: bytes = b""
    weights: dict[str, float] = field(default_factory=dict)
    parent: str | None = None
    note: str | None = "none"


def signature(function: Callable[..., Any], name: str = "shop.t") -> Signature:
    found = Signature.of(name, function)
    assert found is not None
    return found


def codec(function: Callable[..., Any]) -> Codec:
    return signature(function).by_schema("avro")


def of(kind: Any) -> Callable[..., Any]:
    def handler(what): ...  # type: ignore[no-untyped-def]

    handler.__annotations__["what"] = kind
    return handler


def document(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return decode_call(encode_call("shop.t", args, kwargs, codec(function)), "avro", False, LIMIT)


def through(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    data = encode_call("shop.t", args, kwargs, codec(function))
    _, plain_args, plain_kwargs = decode_call(data, "application/avro", False, LIMIT)
    return signature(function).read(data, plain_args, plain_kwargs, codec=AVRO)


ORDER = Order(UUID(int=7), datetime(2026, 11, 26, tzinfo=UTC), Kind.WEB, [Line("a", Decimal("1.10"))], b"\x00\xff")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Order, ORDER),
        (list[Order], [ORDER, ORDER]),
        (Order | None, None),
        (dict[str, list[Order]], {"a": [ORDER], "b": []}),
        (Cat | Dog, Dog(2, "rex")),
        (list[Cat | Dog | None], [Cat(9), None, Dog(1)]),
        (Movie, {"title": "t"}),
        (Movie, {"title": "t", "year": None}),
        (Movie, {"title": "t", "year": 1}),
        (Pair, Pair(1, "r")),
        (tuple[int, str, bytes], (1, "a", b"x")),
        (Literal["a", 1, None], 1),
        (Literal["a", 1, None], None),
        (int | float | str | bool | None, True),
        (int | float | str | bool | None, 1.5),
        (int | float | str | bool | None, 3),
        (dict[int, float], {1: 2.0}),
        (set[int], {1, 2}),
        (bytes | None, b"\xff"),
        (str, "ABSENT"),
        (float, float("inf")),
        (int, -(2**63)),
    ],
)
def test_values_come_back(kind: Any, value: Any) -> None:
    _, got = through(of(kind), what=value)
    assert got == {"what": value}
    assert type(got["what"]) is type(value)


def test_every_way_of_calling() -> None:
    def mixed(one: int, /, two: int = 2, *rest: int, three: str | None = "x", **more: float) -> None: ...

    for args, kwargs in (
        ((1,), {}),
        ((1, 5), {}),
        ((1, 5, 6, 7), {"three": None}),
        ((1,), {"two": 5, "three": "y", "four": 4.0, "by_place": 1.0, "rest": 2.0}),
    ):
        by_place, by_name = through(mixed, *args, **kwargs)
        assert (mixed_arguments(*by_place, **by_name)) == mixed_arguments(*args, **kwargs)

    def gap(one: int, two: int = 2, three: int = 3, *rest: int) -> None: ...

    assert document(gap, 1, three=5) == ("shop.t", [1], {"three": 5})
    assert document(gap, one=1) == ("shop.t", [1], {})


def mixed_arguments(one: int, /, two: int = 2, *rest: int, three: str | None = "x", **more: float) -> Any:
    return one, two, rest, three, more


def test_what_a_call_leaves_out_is_not_sent_and_none_is_not_nothing() -> None:
    def handler(order: Movie, note: str | None = "default", count: int = 1) -> None: ...

    assert document(handler, {"title": "t"}) == ("shop.t", [], {"order": {"title": "t"}})
    assert document(handler, {"title": "t", "year": None}, None) == (
        "shop.t",
        [],
        {"order": {"title": "t", "year": None}, "note": None},
    )
    with pytest.raises(InvalidMessage, match=r"shop\.t: count: expected `int`, got `null`"):
        document(handler, {"title": "t"}, count=None)


def test_others_read_it_by_the_specification_alone() -> None:
    def handler(order: Order, pin: str = "") -> None: ...

    data = encode_call("shop.t", [ORDER], {}, codec(handler))
    fingerprint, text = codec(handler).schema or ("", "")
    assert (data[:2], data[2:10].hex()) == (b"\xc3\x01", fingerprint)
    schema = parse(text)
    assert schema.fingerprint().hex() == fingerprint
    read: Any = DatumReader(schema).read(BinaryDecoder(BytesIO(data[10:])))
    assert read["task"] == "shop.t"
    assert read["by_name"]["order"]["lines"] == [{"sku": "a", "price": "1.10", "count": 1}]
    assert read["by_name"]["pin"] == {}, "absent"
    assert [one["name"] for one in json.loads(text)["fields"]] == ["task", "by_name"]


def test_a_message_keeps_its_name_wherever_its_class_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry in ("_contracts", "_by_class", "_steps"):
        monkeypatch.setattr(contracts, registry, {})

    @message("order.placed")
    @dataclass
    class Placed:
        id: int

    def handler(one: Placed, two: list[Placed]) -> None: ...

    _, text = codec(handler).schema or ("", "")
    assert '"name":"order.placed"' in text
    assert document(handler, Placed(1), [Placed(2)])[2] == {"one": {"id": 1}, "two": [{"id": 2}]}


@dataclass
class Node:
    next: "Node | None" = None


@dataclass
class Empty:
    pass


class Item(pydantic.BaseModel):
    name: str


class Odd(msgspec.Struct, rename={"a_b": "a-b"}):
    a_b: int


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Any, "what: Avro has no type for AnyType"),
        (Node, "next: Node holds itself"),
        (list[None], "has no bytes"),
        (list[Empty], "has no bytes"),
        (Item, "what: Avro has no type for Item"),
        (tuple[list[int], list[str]], "in Avro a union has one kind of array only"),
        (Odd, "a-b: 'a-b' can be no name in Avro"),
    ],
)  # fmt: skip
def test_types_that_it_cannot_carry(kind: Any, told: str) -> None:
    def handler(other: int, what): ...  # type: ignore[no-untyped-def]

    handler.__annotations__["what"] = kind
    with pytest.raises(ConfigError, match=told):
        codec(handler)


def test_a_task_without_types_and_a_worker_that_loads_one() -> None:
    app = Postroom("redis://nowhere", codec="avro")

    @app.task(name="untyped")
    def untyped(a): ...  # type: ignore[no-untyped-def]

    app.load()
    for bad in (app.using("untyped"), app.using("of.others")):
        with pytest.raises(ConfigError, match="codec='avro' needs the types of its parameters"):
            bad.enqueue(1)

    @app.task(name="strange")
    def strange(node: Node) -> None: ...

    with pytest.raises(ConfigError, match="Node holds itself"):
        app.load()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"sku": "a", "price": "1", "strange": 1}, "has no field 'strange'"),
        ({"sku": "a", "price": "x"}, "what.price: invalid decimal string"),
        (Line("a", Decimal(1), 2**63), "cannot be encoded as Avro"),
        (object(), "object"),
    ],
)
def test_what_cannot_be_written(value: Any, told: str) -> None:
    with pytest.raises(EncodeError, match=f"^shop.t: .*{told}"):
        document(of(Line), value)


def test_a_missing_argument_is_told_in_pythons_words() -> None:
    with pytest.raises(InvalidMessage, match="missing a required argument: 'what'"):
        document(of(Line))


def test_a_schema_that_nobody_has_seen_tells_the_task() -> None:
    data = encode_call("shop.t", [1], {}, codec(of(int)))
    unseen = data[:2] + b"\x00" * 8 + data[10:]
    with pytest.raises(UnknownSchema, match=r"the schema 0{16} of 'shop\.t' is not known here") as raised:
        decode_call(unseen, "avro", False, LIMIT)
    assert (raised.value.fingerprint, raised.value.task) == ("00" * 8, "shop.t")


TASK = {"name": "task", "type": "string"}
NOTHINGS = {"name": "x", "type": {"type": "array", "items": "null"}}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (b"", "JSONDecodeError"),
        (b"{}", "cannot be used"),
        (b'"string"', "cannot be used"),
        ({"type": "record", "name": "A", "fields": []}, "cannot be used"),
        ({"type": "record", "name": "A", "fields": [{"name": "x", "type": "int"}]}, "its first field is not"),
        (
            {"type": "record", "name": "A", "fields": [TASK, NOTHINGS]},
            "array has no bytes",
        ),
        ({"type": "record", "name": "A", "fields": [TASK, {"name": "x", "type": ["null", "A"]}]}, "A holds itself"),
        ({"type": "record", "name": "A", "fields": [TASK, {"name": "x", "type": "null"}]}, "A has no bytes"),
    ],
)
def test_schemas_by_which_data_could_cost_anything(schema: Any, told: str) -> None:
    with pytest.raises(DecodeError, match=told):
        avro.learn(schema if isinstance(schema, bytes) else json.dumps(schema))


CALL = encode_call("shop.t", [ORDER], {}, codec(of(Order)))


HUGE = CALL[:10] + b"\xff" * 9 + b"\x01" + CALL[11:]


@pytest.mark.parametrize("data", [b"", CALL[:9], CALL[:-1], CALL + b"\x00", b"\x00" + CALL[1:], HUGE])
def test_data_that_is_no_call(data: bytes) -> None:
    with pytest.raises(DecodeError, match="data is not Avro"):
        decode_call(data, "avro", False, LIMIT)


@given(rubbish=st.binary(max_size=200), keep=st.integers(0, len(CALL)))
def test_any_bytes_are_a_call_or_a_decode_error(rubbish: bytes, keep: int) -> None:
    try:
        name, args, kwargs = decode_call(CALL[: max(10, keep)] + rubbish, "avro", False, LIMIT)
    except DecodeError:
        return
    assert (type(name), type(args), type(kwargs)) == (str, list, dict)


def test_the_schema_is_the_same_for_the_same_task() -> None:
    assert signature(of(Order)).by_schema("avro").schema == signature(of(Order)).by_schema("avro").schema
    assert fastavro.parse_schema(json.loads((codec(of(Order)).schema or ("", ""))[1]))
