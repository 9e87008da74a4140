"""What a handler of version 1 sends on of version 2, in every codec: nothing that it does not know is lost."""

import contextvars
from dataclasses import dataclass, field, make_dataclass
from decimal import Decimal
from itertools import product
from typing import Any

import msgspec
import pytest

from postroom import message
from postroom.jobs import contracts
from postroom.jobs.codecs import CODECS, Codec, decode_call, encode_call
from postroom.jobs.context import Run, current
from postroom.jobs.messages import batch_of_one, batches
from postroom.jobs.options import Options
from postroom.jobs.signature import Signature

LIMIT = 100_000
PAIRS = [*product(CODECS, CODECS)]
V2 = b'{"shop.placed":[2,1]}'

# Version 2 as its producer writes it: under the names of the classes below, so that what is written is the same.
NewLine: Any = make_dataclass("Line", [("sku", str), ("count", int, 1), ("size", str | None, None)])
New: Any = make_dataclass(
    "Placed",
    [
        *(("id", int), ("scan", bytes), ("first", NewLine), ("lines", list[NewLine]), ("by_shop", dict[str, NewLine])),
        *(("more", list[int | str]), ("deep", dict[str, list[NewLine]]), ("price", Decimal), ("note", str | None, "n")),
    ],
)


@dataclass
class Line:
    sku: str
    count: int = 1


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The message of version 1."""
    for registry in ("_contracts", "_by_class", "_steps", "_steps_down"):
        monkeypatch.setattr(contracts, registry, {})

    @message("shop.placed")
    @dataclass
    class Placed:
        id: int
        scan: bytes
        first: Line
        lines: list[Line] = field(default_factory=list)
        by_shop: dict[str, Line] = field(default_factory=dict)
        old: str = ""

    return Placed


def sample() -> Any:
    lines = [NewLine("a", 1, "XL"), NewLine("b", 2)]
    deep = {"d": [NewLine("e", 5, "S")]}
    more = [1, "two", 2**40]
    return New(7, b"\x00\xff", NewLine("f", 9, "M"), lines, {"x": NewLine("c", 3, "L")}, more, deep, Decimal("1.10"))


def signature(task: str, kind: Any) -> Signature:
    def handler(order: kind, *others: kind) -> None: ...

    found = Signature.of(task, handler)
    assert found is not None
    return found


def codec_of(name: str, task: str, signature: Signature) -> Codec:
    known = CODECS[name]
    return known.of_task(task, signature) if known.of_task else known


def as_json(args: Any) -> Any:
    """Arguments as JSON has them: one form for all codecs."""
    return msgspec.json.decode(msgspec.json.encode(args))


class Handler:
    """The handler of task `t`, of version 1, that got the sample of version 2."""

    def __init__(self, placed: Any, codec: str) -> None:
        # As the writer's own message would be called.
        contracts._by_class[New] = contracts.Contract("shop.placed", 2, 1, New)
        theirs = signature("t", New)
        writer = codec_of(codec, "t", theirs)
        self.came = encode_call("t", [sample()], {}, writer)
        self.schema = writer.schema
        del contracts._by_class[New]
        self.codec, self._placed = codec, placed
        _, args, kwargs = decode_call(self.came, codec, False, LIMIT)
        self.document = as_json((args, kwargs))
        own = signature("t", placed)
        ((*args,), kwargs), origins = own.read_with_origins(self.came, args, kwargs, V2, CODECS[codec])
        self.order = kwargs["order"] if kwargs else args[0]
        self.context = contextvars.Context()
        self.context.run(current.set, Run("a", "q", "t", 1, 7, origins=origins))

    def sends(self, *args: Any, task: str = "t", codec: str = "", kind: Any = None) -> tuple[bytes, str, Any, bytes]:
        """Data, codec, schema and stamp of a call that it makes."""
        used, found = codec or self.codec, signature(task, kind or self._placed)
        writer = codec_of(used, task, found)
        batch = self.context.run(batch_of_one, task, args, {}, Options(), LIMIT, None, found, writer)
        fields = dict(zip(batch.fields[::2], batch.fields[1::2], strict=True))
        return batch.jobs[2], fields["p:type"], batch.schema, fields.get("p:messages", b"")


def read(data: bytes, codec: str) -> list[Any]:
    """The documents of a call's arguments, in order."""
    _, args, kwargs = decode_call(data, codec, False, LIMIT)
    found: list[Any] = as_json([*args, *kwargs.values()])
    return found


@pytest.mark.parametrize("codec", CODECS)
def test_unchanged_it_is_the_very_bytes_by_the_writers_schema(placed: Any, codec: str) -> None:
    handler = Handler(placed, codec)
    assert handler.sends(handler.order) == (handler.came, codec, handler.schema, V2)


@pytest.mark.parametrize(("codec", "other"), PAIRS)
def test_unchanged_it_goes_whole_to_another_task_in_any_codec(placed: Any, codec: str, other: str) -> None:
    handler = Handler(placed, codec)
    data, used, _, stamped = handler.sends(handler.order, task="other", codec=other)
    assert stamped == V2
    (document,) = read(data, used)
    assert document == as_json(sample())
    if codec == other:
        assert used == codec, "what was written by a schema goes on by it"
    typed, _ = signature("other", New).read_with_origins(
        data, *decode_call(data, used, False, LIMIT)[1:], V2, CODECS[used]
    )
    assert [*typed[0], *typed[1].values()] == [sample()], "and a reader of version 2 gets what was sent"


@pytest.mark.parametrize(("codec", "other"), PAIRS)
def test_changes_are_laid_over_the_document(placed: Any, codec: str, other: str) -> None:
    handler = Handler(placed, codec)
    order = handler.order
    order.scan, order.first.count, order.old = b"\x01\x02", 10, "of version 1"
    order.lines.reverse()
    order.lines.insert(1, Line("new"))
    order.by_shop["x"].sku = "changed"
    order.by_shop["y"] = Line("added")
    data, used, _, stamped = handler.sends(order, codec=other, task="t" if codec == other else "other")
    (document,) = read(data, used)
    expected = as_json(sample())
    expected |= {"scan": "AQI=", "old": "of version 1"}
    expected["first"]["count"] = 10
    expected["lines"] = [expected["lines"][1], {"sku": "new", "count": 1}, expected["lines"][0]]
    expected["by_shop"]["x"]["sku"] = "changed"
    expected["by_shop"]["y"] = {"sku": "added", "count": 1}
    assert (document, stamped) == (expected, V2)


@pytest.mark.parametrize("codec", CODECS)
def test_a_part_goes_alone_and_within_something_new(placed: Any, codec: str) -> None:
    handler = Handler(placed, codec)
    order = handler.order
    data, used, _, _ = handler.sends(order.lines[0], task="pack", kind=Line)
    assert read(data, used) == [{"sku": "a", "count": 1, "size": "XL"}]
    data, used, _, stamped = handler.sends(placed(8, b"", order.first, [order.lines[1]]), task="pack")
    made = {"id": 8, "scan": "", "by_shop": {}, "old": ""}
    lines = [{"sku": "b", "count": 2, "size": None}]
    assert read(data, used) == [{**made, "first": {"sku": "f", "count": 9, "size": "M"}, "lines": lines}]
    assert stamped == b'{"shop.placed":[1,1]}'


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_made_here_is_as_ever(placed: Any, codec: str) -> None:
    handler = Handler(placed, codec)
    data, used, _, _ = handler.sends(placed(8, b"\xff", Line("z")), task="t")
    assert used == codec
    assert read(data, used) == as_json([placed(8, b"\xff", Line("z"))])


@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_has_one_schema(placed: Any, codec: str) -> None:
    handler = Handler(placed, codec)
    found = signature("t", placed)
    made = batches("t", [(handler.order,), (handler.order,)], Options(), LIMIT, found, codec_of(codec, "t", found))
    (batch,) = handler.context.run(lambda: list(made))
    assert (batch.schema, batch.jobs[2::3]) == (handler.schema, [handler.came, handler.came])
