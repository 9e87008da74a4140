"""Calls that a handler makes of what it got: whole, and of the version that they came in."""

import contextvars
import dataclasses
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, NamedTuple

import msgspec
import pydantic
import pytest

from postroom import EncodeError, evolve, message
from postroom.jobs import contracts
from postroom.jobs.codecs import decode_call, encode_call
from postroom.jobs.context import Run, current
from postroom.jobs.errors import DecodeError
from postroom.jobs.messages import batch_of_one, batches
from postroom.jobs.options import Options
from postroom.jobs.signature import Signature


@dataclass
class Line:
    sku: str
    count: int = 1


class StructLine(msgspec.Struct, gc=False):
    sku: str
    count: int = 1


class ModelLine(pydantic.BaseModel):
    sku: str
    count: int = 1


class Point(NamedTuple):
    x: int
    line: Line


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A frozen message of version 1."""
    for registry in ("_contracts", "_by_class", "_steps", "_steps_down"):
        monkeypatch.setattr(contracts, registry, {})

    @message("placed")
    @dataclass(frozen=True, slots=True)
    class Placed:
        id: int
        customer: dict[str, Line] = dataclasses.field(default_factory=dict)

    return Placed


V2 = b'{"placed":[2,1]}'
CAME = b'["t",null,[{"id": 1, "more":null}],{"two":{"id":2,"more":[2]}}]'


def taken(kind: Any, came: bytes, stamped: bytes | None) -> tuple[Signature, Any, contextvars.Context]:
    """A call as a handler gets it, and the context in which that runs."""

    def handler(*all: kind, **named: kind) -> None: ...

    signature = Signature.of("t", handler)
    assert signature is not None
    _, args, kwargs = decode_call(came, "json", False, 1000)
    typed, origins = signature.read_with_origins(came, args, kwargs, stamped)
    context = contextvars.Context()
    context.run(current.set, Run("a", "q", "t", 1, 7, origins=origins))
    return signature, typed, context


def made(context: contextvars.Context, signature: Signature | None, *args: Any, **kwargs: Any) -> tuple[bytes, Any]:
    """What is written of a call that is made in a handler, and its stamp."""
    batch = context.run(batch_of_one, "t", args, kwargs, Options(), 1000, None, signature)
    fields = dict(zip(batch.fields[::2], batch.fields[1::2], strict=True))
    return batch.jobs[2], fields.get("p:messages")


def test_what_is_sent_on_unchanged_is_the_very_bytes_and_of_their_version(placed: Any) -> None:
    signature, (args, kwargs), context = taken(placed, CAME, V2)
    assert made(context, signature, *args, **kwargs) == (CAME, V2)
    assert made(context, None, *args, **kwargs) == (CAME, None)
    (batch,) = context.run(lambda: list(batches("t", [args], Options(), 1000, signature)))
    assert batch.jobs[2] == b'["t",null,[{"id": 1, "more":null}],{}]'
    assert made(contextvars.Context(), signature, *args)[0] == b'["t",null,[{"id":1,"customer":{}}],{}]'


def test_what_is_changed_is_of_the_version_of_its_document(placed: Any) -> None:
    signature, (args, _), context = taken(placed, CAME, V2)
    other = context.run(lambda: evolve(args[0], id=5))
    assert (other.id, args[0].id) == (5, 1)
    assert made(context, signature, other) == (b'["t",null,[{"id":5,"more":null}],{}]', V2)
    again = context.run(lambda: evolve(other, customer={"a": Line("x")}))
    assert made(context, signature, again)[0] == (
        b'["t",null,[{"id":5,"more":null,"customer":{"a":{"sku":"x","count":1}}}],{}]'
    )
    assert made(context, signature, replace(args[0], id=5)) == (
        b'["t",null,[{"id":5,"customer":{}}],{}]',
        b'{"placed":[1,1]}',
    ), "of this nobody knows what it was made from"


def test_calls_with_messages_of_both_versions_are_of_the_older_and_batches_have_one(placed: Any) -> None:
    signature, (args, kwargs), context = taken(placed, CAME, V2)
    both = made(context, signature, args[0], placed(3))
    assert both == (b'["t",null,[{"id": 1, "more":null},{"id":3,"customer":{}}],{}]', b'{"placed":[1,1]}')
    calls = [(args[0],), (placed(3),), (placed(4),), (kwargs["two"],)]
    found = context.run(lambda: list(batches("t", calls, Options(), 1000, signature)))
    stamps = [(len(one.ids), one.fields[one.fields.index("p:messages") + 1]) for one in found]
    assert stamps == [(1, V2), (2, b'{"placed":[1,1]}'), (1, V2)]


def test_what_was_brought_up_is_sent_on_as_our_version(placed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    contracts._contracts.clear()
    contracts._by_class.clear()
    newer = message("placed", version=2)(placed)
    contracts.upcast("placed", 1, 2)(lambda old: {**old, "id": int(old["id"]) * 10})
    signature, (args, _), context = taken(newer, b'["t",null,[{"id": 1, "gone":7}],{}]', b'{"placed":[1,1]}')
    assert made(context, signature, *args) == (b'["t",null,[{"id":10,"gone":7}],{}]', b'{"placed":[2,2]}')


@pytest.mark.parametrize("stamped", [None, b"{}"])
def test_where_no_version_was_told_fields_may_be_unknown_too(placed: Any, stamped: bytes | None) -> None:
    signature, (args, kwargs), context = taken(placed, CAME, stamped)
    assert made(context, signature, *args, **kwargs) == (CAME, b'{"placed":[1,1]}')


class Closed(Enum):
    WEB = "web"
    UNKNOWN = "unknown"


@dataclass
class Sale:
    kind: Closed
    count: int = 1


def test_a_value_that_is_not_known_is_written_back_whatever_the_version() -> None:
    came = b'["t",null,[{"kind":"fax","more":[1]}],{"a":{"kind":"web"}}]'
    signature, (args, kwargs), context = taken(Sale, came, None)
    assert (args, kwargs) == ((Sale(Closed.UNKNOWN),), {"a": Sale(Closed.WEB)})
    assert made(context, signature, *args, **kwargs) == (came, None)
    args[0].count = 2
    assert made(context, signature, *args) == (b'["t",null,[{"kind":"fax","more":[1],"count":2}],{}]', None)
    args[0].kind = Closed.WEB
    assert made(context, signature, *args)[0] == b'["t",null,[{"kind":"web","more":[1],"count":2}],{}]'


def test_what_is_newer_than_ours_is_not_brought_down(placed: Any) -> None:
    contracts._contracts.clear()
    contracts._by_class.clear()
    ours = message("placed", version=2, min_reader=1, writes=1)(placed)
    contracts.downcast("placed", 2, 1)(lambda new: {"old": new["id"]})
    came = b'["t",null,[{"id":1,"more":null}],{}]'
    signature, (args, _), context = taken(ours, came, b'{"placed":[3,1]}')
    assert made(context, signature, *args) == (came, b'{"placed":[3,1]}')
    assert made(context, signature, ours(7)) == (b'["t",null,[{"old":7}],{}]', b'{"placed":[1,1]}')
    both = made(context, signature, *args, ours(7))
    assert both == (b'["t",null,[{"old":1},{"old":7}],{}]', b'{"placed":[1,1]}')


def test_nothing_is_kept_where_no_version_was_told_and_nothing_is_unknown(placed: Any) -> None:
    for came in (b'["t",null,[{"id":1}],{}]', b'["t",null,[{"id":1,"customer":{"a":{"sku":"x"}}}],{}]'):
        assert taken(placed, came, None)[2][current].origins is None
    came = b'["t",null,[{"id":1,"customer":{"a":{"sku":"x","more":1}}}],{}]'
    signature, (args, _), context = taken(placed, came, None)
    assert made(context, signature, *args)[0] == came


@dataclass
class Tree:
    leaves: "list[Tree]"


def nested(depth: int, extra: bytes = b"") -> bytes:
    """A call with a tree of this depth."""
    return b'["t",null,[%s%s],{}]' % (b'{"leaves":[' * depth, b"]%s}" % extra * depth)


def test_what_is_nested_deeply(placed: Any) -> None:
    message("tree")(Tree)
    newer, more = b'{"tree":[2,1]}', b',"more":1'
    assert taken(Tree, nested(300), None)[2][current].origins is None
    with pytest.raises(DecodeError, match="its arguments are nested too deeply"):
        taken(Tree, nested(400, more), newer)
    signature, (args, _), context = taken(Tree, nested(200, more), newer)
    args[0].leaves.append(Tree([]))
    with pytest.raises(EncodeError, match="nested too deeply to be sent on"):
        made(context, signature, *args)


def test_nothing_is_kept_of_our_own_versions_and_of_what_is_no_message(placed: Any) -> None:
    _, _, context = taken(placed, b'["t",null,[{"id":1}],{}]', b'{"placed":[1,1]}')
    assert context[current].origins is None
    _, _, context = taken(Line, b'["t",null,[{"sku":"a","more":1}],{}]', None)
    assert context[current].origins is None


def test_evolve_outside_of_a_job_and_of_what_has_no_fields() -> None:
    assert evolve(Line("a"), count=2) == Line("a", 2)
    assert evolve(StructLine("a"), count=2) == StructLine("a", 2)
    assert evolve(ModelLine(sku="a"), count=2) == ModelLine(sku="a", count=2)
    assert evolve(Point(1, Line("a")), x=2) == Point(2, Line("a"))
    assert evolve({"a": 1}, b=2) == {"a": 1, "b": 2}
    for wrong in (7, [1], Line):
        with pytest.raises(TypeError, match="has no fields that can be changed in a copy"):
            evolve(wrong, x=1)
    with pytest.raises(TypeError):
        evolve(Line("a"), colour=2)


def test_an_argument_that_cannot_be_encoded_is_told_as_ever(placed: Any) -> None:
    signature, _, context = taken(placed, CAME, V2)
    with pytest.raises(EncodeError, match="argument 0 of type object"):
        made(context, signature, object())
    assert encode_call("t", [msgspec.Raw(b"null"), None], {}) == b'["t",null,[null,null],{}]'
