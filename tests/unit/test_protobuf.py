"""Protobuf: what a task's types become, what comes back, and data or schemas that are none."""

import copy
import json
from collections.abc import Callable
from typing import Any, Literal

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from postroom import ConfigError, InvalidMessage
from postroom.jobs import protobuf
from postroom.jobs.codecs import PROTOBUF, Codec, decode_call, encode_call
from postroom.jobs.errors import DecodeError, EncodeError, UnknownSchema
from postroom.jobs.protobuf_schema import Numbers, described
from tests.unit.test_avro import (
    LIMIT,
    ORDER,
    Cat,
    Dog,
    Empty,
    Item,
    Line,
    Movie,
    Node,
    Odd,
    Order,
    Pair,
    mixed_arguments,
    of,
    signature,
)


def codec(function: Callable[..., Any]) -> Codec:
    return signature(function).by_schema("protobuf")


def document(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return decode_call(encode_call("shop.t", args, kwargs, codec(function)), "protobuf", False, LIMIT)


def through(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    data = encode_call("shop.t", args, kwargs, codec(function))
    _, plain_args, plain_kwargs = decode_call(data, "application/protobuf", False, LIMIT)
    return signature(function).read(data, plain_args, plain_kwargs, codec=PROTOBUF)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Order, ORDER),
        (list[Order], [ORDER, ORDER]),
        (Order | None, None),
        (dict[str, list[Order]], {"a": [ORDER], "b": []}),
        (dict[str, dict[str, int]], {"a": {"b": 1}, "c": {}}),
        (dict[str, Order], {"a": ORDER}),
        (dict[str, int | None], {"a": None, "b": 0}),
        (list[list[list[int]]], [[[1], []], []]),
        (Cat | Dog, Dog(2, "rex")),
        (list[Cat | Dog | None], [Cat(9), None, Dog(1)]),
        (Movie, {"title": "t"}),
        (Movie, {"title": "", "year": None}),
        (Movie, {"title": "t", "year": 0}),
        (Pair, Pair(1, "r")),
        (tuple[int, str, bytes], (1, "a", b"x")),
        (Literal["a", 1, None], None),
        (int | float | str | bool | None, True),
        (int | float | str | bool | None, 0.0),
        (int | float | str | bool | None, 3),
        (dict[int, float], {1: 2.0}),
        (set[int], {1, 2}),
        (list[None], [None, None]),
        (list[Empty], [Empty(), Empty()]),
        (bytes | None, b""),
        (str, ""),
        (int, 0),
        (bool, False),
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
        ((1,), {"two": 5, "three": "y", "four": 4.0, "by_place": 1.0, "rest": 2.0, "schema": 3.0}),
    ):
        by_place, by_name = through(mixed, *args, **kwargs)
        assert (mixed_arguments(*by_place, **by_name)) == mixed_arguments(*args, **kwargs)

    def gap(one: int, two: int = 2, three: int = 3, *rest: int) -> None: ...

    assert document(gap, 1, three=5) == ("shop.t", [1], {"three": 5})


def test_what_a_call_leaves_out_is_not_sent_and_none_is_not_nothing() -> None:
    def handler(order: Movie, note: str | None = "default", some: list[int] = [1]) -> None: ...  # noqa: B006

    assert document(handler, {"title": "t"}) == ("shop.t", [], {"order": {"title": "t"}})
    assert document(handler, {"title": "t", "year": None}, None, []) == (
        "shop.t",
        [],
        {"order": {"title": "t", "year": None}, "note": None, "some": []},
    )


def test_others_read_it_by_the_descriptor_alone() -> None:
    def handler(order: Order, pin: str = "") -> None: ...

    data = encode_call("shop.t", [ORDER], {}, codec(handler))
    fingerprint, text = codec(handler).schema or ("", "")
    assert (data[:1], data[1:9].hex()) == (b"\x09", fingerprint)
    pool = DescriptorPool()
    pool.AddSerializedFile(json_format.ParseDict(json.loads(text), FileDescriptorProto()).SerializeToString())
    read: Any = GetMessageClass(pool.FindMessageTypeByName("shop.t.Call"))()
    read.ParseFromString(data)
    assert read.task == "shop.t"
    order = read.by_name.order
    assert [(line.sku, line.price, line.count) for line in order.lines] == [("a", "1.10", 1)]
    assert order.parent.WhichOneof("kind") == "null_value"
    assert not read.by_name.HasField("pin"), "absent"


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Any, "what: Protobuf has no type for AnyType"),
        (Node, "next: Node holds itself"),
        (Item, "what: Protobuf has no type for Item"),
        (tuple[list[int], list[str]], "in Protobuf a union has one kind of array only"),
        (Odd, "a-b: 'a-b' can be no name in Protobuf"),
    ],
)  # fmt: skip
def test_types_that_it_cannot_carry(kind: Any, told: str) -> None:
    def handler(other: int, what): ...  # type: ignore[no-untyped-def]

    handler.__annotations__["what"] = kind
    with pytest.raises(ConfigError, match=told):
        codec(handler)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"sku": "a", "price": "1", "strange": 1}, "has no field 'strange'"),
        ({"sku": "a", "price": "x"}, "what.price: invalid decimal string"),
        (Line("a", 1, 2**63), "cannot be encoded as Protobuf"),  # type: ignore[arg-type]
        (object(), "object"),
    ],
)
def test_what_cannot_be_written(value: Any, told: str) -> None:
    with pytest.raises(EncodeError, match=f"^shop.t: .*{told}"):
        document(of(Line), value)


def test_a_missing_argument_is_told_in_pythons_words() -> None:
    with pytest.raises(InvalidMessage, match="missing a required argument: 'what'"):
        document(of(Line))


CALL = encode_call("shop.t", [ORDER], {}, codec(of(Order)))
SCHEMA = json.loads((codec(of(Order)).schema or ("", "{}"))[1])


def test_a_schema_that_nobody_has_seen_tells_the_task() -> None:
    with pytest.raises(UnknownSchema, match=r"the schema 0{16} of 'shop\.t' is not known here"):
        decode_call(CALL[:1] + b"\x00" * 8 + CALL[9:], "protobuf", False, LIMIT)
    with pytest.raises(UnknownSchema, match=r"the schema 0{16} of '' is not known here"):
        decode_call(CALL[:1] + b"\x00" * 8, "protobuf", False, LIMIT)


def changed(change: Callable[[Any], None]) -> str:
    """The schema of a call, made wrong."""
    schema = copy.deepcopy(SCHEMA)
    change({one["name"]: one for one in schema["messageType"]} | {"file": schema})
    return json.dumps(schema)


def holding_itself(messages: Any) -> None:
    field = {"name": "own", "number": 90, "label": "LABEL_OPTIONAL", "type": "TYPE_MESSAGE", "typeName": ".shop.t.Line"}
    messages["Line"]["field"].append(field)


def nested_deep(messages: Any) -> None:
    for depth in range(60):
        field = {"name": "in", "number": 1, "label": "LABEL_OPTIONAL", "type": "TYPE_MESSAGE"}
        inner = {"name": f"M{depth}", "field": [{**field, "typeName": f".shop.t.M{depth + 1}"}]}
        messages["file"]["messageType"].append(inner)
    messages["file"]["messageType"].append({"name": "M60"})
    own = {"name": "deep", "number": 90, "label": "LABEL_OPTIONAL", "type": "TYPE_MESSAGE", "typeName": ".shop.t.M0"}
    messages["Line"]["field"].append(own)


def of_a_kind(kind: str) -> Callable[[Any], None]:
    def change(messages: Any) -> None:
        messages["Line"]["field"][0]["type"] = kind

    return change


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "JSONDecodeError"),
        ("{}", "cannot be used"),
        ("[1]", "cannot be used"),
        ('{"strange":1}', "cannot be used"),
        ("[" * 100_000, "cannot be used"),
        (json.dumps({"name": "x" * 1_000_001}), "it has 1,000,013 bytes, the limit is 1,000,000"),
        (json.dumps({"name": "a.proto", "package": "a", "messageType": [{"name": "Call"}]}), "cannot be used"),
        (json.dumps({"name": "a.proto", "package": "a", "dependency": ["b.proto"]}), "cannot be used"),
        (changed(lambda all_: all_["Call"]["field"][0].update(name="mark")), "it is not of a call"),
        (changed(holding_itself), "Line holds itself"),
        (changed(nested_deep), "is nested more than 50 deep"),
        (changed(of_a_kind("TYPE_UINT32")), "of a type that calls have no use for"),
        (changed(of_a_kind("TYPE_ENUM")), "cannot be used"),
    ],
)
def test_schemas_that_are_none(text: str, told: str) -> None:
    with pytest.raises(DecodeError, match=told):
        protobuf.learn(text)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "it does not begin with 09"),
        (CALL[:8], "it does not begin with 09"),
        (b"\x00" + CALL[1:], "it does not begin with 09"),
        (CALL[:-1], "DecodeError"),
        (CALL + b"\xf8\x07\x01", "it has fields that its schema does not have"),
        (CALL[:9], "is not a call|data is not Protobuf"),
    ],
)
def test_data_that_is_no_call(data: bytes, told: str) -> None:
    with pytest.raises(DecodeError, match=told):
        decode_call(data, "protobuf", False, LIMIT)


@given(rubbish=st.binary(max_size=200), keep=st.integers(0, len(CALL)))
def test_any_bytes_are_a_call_or_a_decode_error(rubbish: bytes, keep: int) -> None:
    try:
        name, args, kwargs = decode_call(CALL[: max(9, keep)] + rubbish, "protobuf", False, LIMIT)
    except DecodeError:
        return
    assert (type(name), type(args), type(kwargs)) == (str, list, dict)


def test_two_fields_with_one_number_are_told() -> None:
    schema = {"type": "record", "name": "postroom.Call", "fields": [{"name": "task", "type": "string"}]}
    with_a, with_b = (
        described("t", {**schema, "fields": [*schema["fields"], {"name": name, "type": "long"}]}, Numbers())
        for name in ("a", "b")
    )
    with pytest.raises(ConfigError, match=r"^t\.proto: two fields of Call have one number: two branches"):
        Numbers([with_a, with_b])


def test_numbers_that_protobuf_keeps_are_passed_over() -> None:
    numbers = Numbers()
    given_ = [numbers.number("M", f"f{at}", {}) for at in range(19_001)]
    assert given_[-2:] == [20_000, 20_001]


def test_maps_come_back_in_the_order_of_their_keys() -> None:
    assert list(document(of(dict[str, int]), {"b": 1, "c": 2, "a": 3})[2]["what"]) == ["a", "b", "c"]
