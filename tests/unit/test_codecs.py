"""Bytes and values: what JSON carries, what it cannot, and stored bytes that are not what they say they are."""

import json
import tracemalloc
import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rq.serializers import resolve_serializer

from postroom.jobs.codecs import decode_call, decode_result, encode_call, encode_result, inflate
from postroom.jobs.errors import DecodeError, EncodeError

LIMIT = 1_000_000


@dataclass
class Order:
    """A user's class."""

    total: float


class Session:
    """A user's class that JSON cannot carry."""


def nested(depth: int, core: Any = None) -> Any:
    value = core
    for _ in range(depth):
        value = [value]
    return value


def decode(data: bytes | None, content_type: str | None = "json", *, saved_by_rq: bool = False) -> Any:
    return decode_call(data, content_type, saved_by_rq, LIMIT)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(args=st.lists(plain), kwargs=st.dictionaries(st.text(min_size=1), plain))
def test_json_values_come_back_and_rqs_serializer_reads_them(args: list[Any], kwargs: dict[str, Any]) -> None:
    data = encode_call("shop.send", args, kwargs)
    assert decode(data) == ("shop.send", args, kwargs)
    assert resolve_serializer("json").loads(data) == ["shop.send", None, args, kwargs]


@given(value=plain)
def test_results_come_back(value: Any) -> None:
    assert decode_result(encode_result(value, LIMIT)) == value


def test_what_json_has_no_word_for_becomes_the_nearest_it_has() -> None:
    args = [(1, 2), {3}, date(2026, 11, 23), datetime(2026, 11, 23, tzinfo=UTC), b"x", Decimal("1.10"), UUID(int=7)]
    assert decode(encode_call("t", args, {}))[1] == [
        [1, 2],
        [3],
        "2026-11-23",
        "2026-11-23T00:00:00Z",
        "eA==",
        "1.10",
        "00000000-0000-0000-0000-000000000007",
    ]
    assert decode(encode_call("t", [Order(1.5), {1: "a"}, 2**100], {}))[1] == [{"total": 1.5}, {"1": "a"}, 2**100]


@pytest.mark.parametrize(
    ("args", "kwargs", "named"),
    [
        ([1, Session()], {}, "t: argument 1 of type Session cannot be encoded"),
        ([{"deep": [Session()]}], {}, "t: argument 0 of type dict .*Session"),
        ([], {"session": Session()}, "t: argument 'session' of type Session"),
        ([{Session()}], {}, "t: argument 0 of type set .*Session"),
        ([1j], {}, "t: argument 0 of type complex"),
        ([lambda: None], {}, "t: argument 0 of type function"),
        ([Session], {}, "t: argument 0 of type type"),
        ([{(1, 2): 3}], {}, "t: argument 0 of type dict"),
        (["\udcff"], {}, "t: argument 0 of type str .*surrogates"),
        ([], {"\udcff": 1}, "surrogates"),
        ([10**5000], {}, "t: argument 0 of type int"),
        ([nested(5000)], {}, "t: argument 0 of type list .*recursion"),
        ([(n for n in range(3))], {}, "t: argument 0 of type generator"),
    ],
)
def test_an_argument_that_cannot_be_encoded_is_named_with_its_type(
    args: list[Any], kwargs: dict[str, Any], named: str
) -> None:
    with pytest.raises(EncodeError, match=named):
        encode_call("t", args, kwargs)


def test_a_value_that_holds_itself() -> None:
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(EncodeError, match="argument 0 of type list"):
        encode_call("t", [ring], {})
    with pytest.raises(EncodeError, match="the result of type list"):
        encode_result(ring, LIMIT)


@pytest.mark.parametrize("args", [7, "ab", b"ab", {"a": 1}, {1, 2}, None, (n for n in (1, 2))])
def test_arguments_that_are_no_sequence(args: Any) -> None:
    with pytest.raises(EncodeError, match=f"t: .* of type {type(args).__name__}: give a tuple or a list"):
        encode_call("t", args, {})


@pytest.mark.parametrize(
    ("args", "kwargs", "place"),
    [
        ([float("nan")], {}, r"args\[0\]"),
        ([1, {"rates": [1.0, float("inf")]}], {}, r"args\[1\]\['rates'\]\[1\]"),
        ([], {"rate": float("-inf")}, r"kwargs\['rate'\]"),
        ([(None, float("nan"))], {}, r"args\[0\]\[1\]"),
        ([Order(float("nan"))], {}, r"args\[0\]\['total'\]"),
    ],
)
def test_nan_and_infinity_are_refused_with_their_place(args: list[Any], kwargs: dict[str, Any], place: str) -> None:
    with pytest.raises(EncodeError, match=place):
        encode_call("t", args, kwargs)


def test_none_beside_deep_nesting_is_no_reason_to_refuse() -> None:
    deep = nested(400)
    assert decode(encode_call("t", [deep, None], {"null": "null"})) == ("t", [deep, None], {"null": "null"})
    assert decode_result(encode_result(deep, LIMIT)) == deep


@pytest.mark.parametrize("value", [float("nan"), [1, float("inf")], {"a": (None, float("nan"))}, Order(float("nan"))])
def test_results_that_json_cannot_carry(value: Any) -> None:
    with pytest.raises(EncodeError, match=r"result.* is NaN or infinite"):
        encode_result(value, LIMIT)


def test_a_result_is_bounded() -> None:
    assert encode_result("x" * 8, 10)
    with pytest.raises(EncodeError, match=r"the result has 1,002 bytes, the limit is 10: store it elsewhere"):
        encode_result("x" * 1000, 10)
    with pytest.raises(EncodeError, match="the result of type Session cannot be encoded"):
        encode_result(Session(), LIMIT)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'{"a": 1}',
        b'["t"]',
        b'["t", null, [], {}, 1]',
        b"[3, null, [], {}]",
        b'["t", "instance", [], {}]',
        b'["t", null, {}, {}]',
        b'["t", null, [], []]',
        b'["t", null, [NaN], {}]',
        b"[" * 100_000,
        b"9" * 5000,
        b'["\\ud800", null, [], {}]',
    ],
)
def test_data_that_is_no_call(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data)


def test_the_content_type_decides() -> None:
    data = encode_call("t", [], {})
    with pytest.raises(DecodeError, match="'application/x-future'"):
        decode(data, "application/x-future")
    with pytest.raises(DecodeError, match="no data"):
        decode(None)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_call_or_a_decode_error(data: bytes) -> None:
    for content_type in ("json", "application/json", None):
        for saved_by_rq in (True, False):
            try:
                name, args, kwargs = decode(data, content_type, saved_by_rq=saved_by_rq)
            except DecodeError:
                continue
            assert json.loads(data) == [name, None, args, kwargs]


def test_compression_is_looked_for_only_where_rq_saved_the_hash() -> None:
    data = encode_call("t", [1], {})
    assert decode(zlib.compress(data), saved_by_rq=True) == ("t", [1], {})
    assert decode(data, saved_by_rq=True) == ("t", [1], {}), "RQ itself falls back to the raw bytes"
    with pytest.raises(DecodeError, match="data is not JSON"):
        decode(zlib.compress(data))


def test_a_zlib_bomb_stays_small() -> None:
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(10_000_000)) for _ in range(20)) + packer.flush()
    assert len(bomb) < 300_000
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match="inflates to more than 1,000,000 bytes"):
            decode(bomb, saved_by_rq=True)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_truncated_compression_is_taken_as_it_is_and_is_no_call() -> None:
    whole = zlib.compress(encode_call("t", ["x" * 1000], {}))
    assert inflate(whole[:-6], LIMIT) == whole[:-6]
    with pytest.raises(DecodeError, match="data is not JSON"):
        decode(whole[:-6], saved_by_rq=True)


def test_a_stored_result_that_is_not_json() -> None:
    with pytest.raises(DecodeError, match="the stored result is not JSON"):
        decode_result(b"\x80\x04")
