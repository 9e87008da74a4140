"""MessagePack: what it carries as such, what it cannot, and bytes that are none or too much of it."""

import tracemalloc
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom import ConfigError, Postroom, message
from postroom.jobs import contracts
from postroom.jobs.codecs import MSGPACK, decode_call, encode_call
from postroom.jobs.errors import DecodeError, EncodeError
from postroom.jobs.messages import batch_of_one, batches
from postroom.jobs.options import Options

LIMIT = 1_000_000

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(-(2**63), 2**64 - 1), inner),
    max_leaves=20,
)


def decode(data: bytes, content_type: str = "msgpack") -> Any:
    return decode_call(data, content_type, False, LIMIT)


@given(args=st.lists(plain), kwargs=st.dictionaries(st.text(), plain))
def test_values_come_back(args: list[Any], kwargs: dict[str, Any]) -> None:
    assert decode(encode_call("shop.send", args, kwargs, MSGPACK)) == ("shop.send", args, kwargs)


def test_times_come_back_as_the_same_instant_in_utc_and_infinity_as_itself() -> None:
    noon = datetime(2026, 11, 26, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=2)))
    _, (at, naive, endless, price), _ = decode(
        encode_call("t", [noon, noon.replace(tzinfo=None), float("inf"), Decimal("1.10")], {}, MSGPACK)
    )
    assert (at, at.tzinfo) == (noon, UTC)
    assert (naive, endless, price) == ("2026-11-26T12:00:00.000001", float("inf"), "1.10")


def test_its_media_type_means_it_too_and_nothing_is_sniffed() -> None:
    data = encode_call("t", [1], {}, MSGPACK)
    assert decode(data, "application/vnd.msgpack") == ("t", [1], {})
    for other, content_type in ((data, "json"), (encode_call("t", [1], {}), "msgpack")):
        with pytest.raises(DecodeError, match=r"^data is not"):
            decode(other, content_type)


@pytest.mark.parametrize(
    ("args", "named"),
    [
        ([1, object()], "t: argument 1 of type object cannot be encoded as MessagePack"),
        ([2**64], "t: argument 0 of type int cannot be encoded as MessagePack"),
        ([-(2**63) - 1], "t: argument 0 of type int cannot be encoded as MessagePack"),
        (["\udcff"], "t: argument 0 of type str .*surrogates"),
    ],
)
def test_an_argument_that_cannot_be_encoded_is_named(args: list[Any], named: str) -> None:
    with pytest.raises(EncodeError, match=named):
        encode_call("t", args, {}, MSGPACK)


CALL = msgspec.msgpack.encode(["t", None, [1], {}])


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "data is not MessagePack"),
        (b"\xc1", "data is not MessagePack"),
        (CALL[:-1], "data is not MessagePack"),
        (CALL + b"\x00", "data is not MessagePack"),
        (b"\xdd\xff\xff\xff\xff", "data is not MessagePack"),
        (b"\xdf\xff\xff\xff\xff\x01", "data is not MessagePack"),
        (b"\xc6\xff\xff\xff\xff", "data is not MessagePack"),
        (b"\x91" * 500_000, "data is not MessagePack"),
        (b"\x81\xdd\x0f\xff\xff\xff", "data is not MessagePack"),
        (msgspec.msgpack.encode(["t", None, [msgspec.msgpack.Ext(5, b"x")], {}]), "extension type 5 is not known"),
        (msgspec.msgpack.encode({}), "data is not a call"),
        (msgspec.msgpack.encode(["t", None, [], {1: 2}]), "data is not a call"),
        (msgspec.msgpack.encode([b"t", None, [], {}]), "data is not a call"),
        (msgspec.msgpack.encode(["t", "instance", [], {}]), "data is not a call"),
    ],
)
def test_data_that_is_no_call(data: bytes, told: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match=told):
            decode(data)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_call_or_a_decode_error(data: bytes) -> None:
    try:
        name, args, kwargs = decode(data)
    except DecodeError:
        return
    assert msgspec.msgpack.decode(data) == [name, None, args, kwargs]


def test_the_field_says_what_it_is_written_in() -> None:
    batch = batch_of_one("t", [b"\x00"], {}, Options(), LIMIT, codec=MSGPACK)
    assert batch.fields[batch.fields.index("p:type") + 1] == "msgpack"
    assert decode(batch.jobs[2]) == ("t", [b"\x00"], {})
    (many,) = batches("t", [(b"\x00",)], Options(), LIMIT, codec=MSGPACK)
    assert (many.fields[6:8], many.jobs[2]) == (["p:type", "msgpack"], batch.jobs[2])


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Classes that ask for a codec."""
    for registry in ("_contracts", "_by_class", "_steps"):
        monkeypatch.setattr(contracts, registry, {})

    @message("order", codec="msgpack")
    @dataclass
    class Order:
        id: int

    @message("bill", codec="json")
    @dataclass
    class Bill:
        id: int

    return Order, Bill


def test_call_over_task_over_message_over_app(messages: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    order, bill = messages

    def used(of: Postroom, kind: Any, **declared: Any) -> str:
        def handler(what): ...  # type: ignore[no-untyped-def]

        handler.__annotations__["what"] = kind
        return of._declare(handler, name=f"{kind} {declared}", **declared).task.prepared.codec.name  # type: ignore[no-any-return]

    app, packed = Postroom("redis://nowhere"), Postroom("redis://nowhere", codec="msgpack")
    assert [used(app, int), used(packed, int), app.using("x").codec.name, packed.using("x").codec.name] == [
        *("json", "msgpack", "json", "msgpack")
    ]
    assert [used(app, order), used(packed, bill)] == ["msgpack", "json"]
    assert [used(app, order, codec="json"), used(packed, int, codec="json")] == ["json", "json"]
    assert app.using("x", codec="msgpack").using(delay=5).codec.name == "msgpack"
    monkeypatch.setenv("POSTROOM_CODEC", "msgpack")
    assert Postroom("redis://nowhere").using("x").codec.name == "msgpack"


def test_wrong_codecs(messages: Any) -> None:
    order, bill = messages
    app = Postroom("redis://nowhere")
    with pytest.raises(ConfigError, match="codec='yaml': write one of json, msgpack"):
        Postroom("redis://nowhere", codec="yaml")
    with pytest.raises(ConfigError, match="codec='yaml': write one of json, msgpack"):
        app.using("x", codec="yaml")
    with pytest.raises(ConfigError, match="codec=7: write one of"):
        app.task(name="x", codec=7)(lambda: None)  # type: ignore[call-overload]

    @app.task(name="both")
    def both(one: order, two: bill) -> None: ...  # type: ignore[valid-type]

    with pytest.raises(ConfigError, match=r"takes the messages 'bill' as json and 'order' as msgpack: say which"):
        app.load()
    message("order", codec="yaml")(order)

    @app.task(name="strange")
    def strange(one: order) -> None: ...  # type: ignore[valid-type]

    with pytest.raises(ConfigError, match=r"@message\('order'\): codec='yaml'"):
        app.using("strange").enqueue({"id": 1})
