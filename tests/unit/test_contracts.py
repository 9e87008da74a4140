"""Contracts: versions, steps from one to the next, and documents that hold messages anywhere."""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, TypedDict

import msgspec
import pydantic
import pytest

from postroom import ConfigError, InvalidMessage, downcast, message, upcast
from postroom.jobs import contracts
from postroom.jobs.codecs import JSON, MSGPACK, decode_call, encode_call
from postroom.jobs.errors import DecodeError, TooNew
from postroom.jobs.messages import batch_of_one, batches
from postroom.jobs.options import Options
from postroom.jobs.signature import Signature


@pytest.fixture(autouse=True)
def nothing_else_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry in ("_contracts", "_by_class", "_steps", "_steps_down"):
        monkeypatch.setattr(contracts, registry, {})


class Kind(Enum):
    WEB = "web"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "Kind":
        return cls.UNKNOWN


def classes() -> tuple[Any, Any]:
    """`order.placed` of version 3 and `customer` of version 2, as an app declares them."""

    @message("customer", version=2)
    class Customer(TypedDict):
        name: str

    @message("order.placed", version=3, min_reader=2, aliases={"total": "amount"})
    @dataclass
    class Order:
        number: int
        amount: float
        customer: Customer

    @upcast("order.placed", 1, 2)
    def with_a_number(order: dict[str, Any]) -> dict[str, Any]:
        return {**order, "number": int(order.pop("id"))}

    @upcast("customer", 1, 2)
    def one_name(customer: dict[str, Any]) -> dict[str, Any]:
        return {"name": f"{customer['first']} {customer['last']}"}

    return Order, Customer


OLD = {"id": "7", "total": 1.5, "customer": {"first": "Ada", "last": "L"}}
NEW = {"number": 7, "amount": 1.5, "customer": {"name": "Ada L"}}
V1 = b'{"customer":[1,1],"order.placed":[1,1]}'


def signature(kind: Any, name: str = "what") -> Signature:
    def handler(**given: Any) -> None: ...
    def by_place(what, *others): ...  # type: ignore[no-untyped-def]

    by_place.__annotations__.update(what=kind, others=kind)
    handler.__annotations__["given"] = kind
    found = Signature.of("t", by_place if name == "what" else handler)
    assert found is not None
    return found


def read(found: Signature, stamped: bytes | None, *args: Any, **kwargs: Any) -> Any:
    got = []
    for codec in (JSON, MSGPACK):
        data = encode_call("t", args, kwargs, codec)
        _, plain_args, plain_kwargs = decode_call(data, codec.name, False, 1_000_000)
        got.append(found.read(data, plain_args, plain_kwargs, stamped, codec))
    assert all(one == got[0] for one in got)
    return got[0]


def test_a_stamp_tells_all_messages_of_a_signature() -> None:
    order, _ = classes()
    found = signature(list[order] | None)  # type: ignore[valid-type]
    assert found.stamp == b'{"customer":[2,2],"order.placed":[3,2]}'
    assert signature(int).stamp == b""
    batch = batch_of_one("t", [[NEW]], {}, Options(), 1_000_000, signature=found)
    assert batch.fields[batch.fields.index("p:messages") + 1] == found.stamp
    (many,) = batches("t", [([NEW],)], Options(), 1_000_000, found)
    assert "p:messages" in many.fields
    assert "p:messages" not in batch_of_one("t", [1], {}, Options(), 1_000_000, signature=signature(int)).fields


def test_older_documents_are_brought_up_wherever_they_stand() -> None:
    order, _ = classes()
    typed = order(**NEW)
    assert read(signature(order), V1, OLD, OLD) == ((typed, typed), {})
    assert read(signature(order), V1, what=OLD) == ((), {"what": typed})
    assert read(signature(order, "given"), V1, a=OLD) == ((), {"a": typed})
    for kind, document, expected in (
        (order | None, OLD, typed),
        (order | None, None, None),
        (list[order], [OLD], [typed]),  # type: ignore[valid-type]
        (tuple[int, order], [1, OLD], (1, typed)),  # type: ignore[valid-type]
        (dict[str, order], {"a": OLD}, {"a": typed}),  # type: ignore[valid-type]
        (list[dict[str, order | None]] | None, [{"a": OLD, "b": None}], [{"a": typed, "b": None}]),  # type: ignore[valid-type]
        (Annotated[order, msgspec.Meta(description="what came")], OLD, typed),
    ):
        assert read(signature(kind), V1, document) == ((expected,), {})


def test_steps_are_chained_and_a_version_without_one_is_passed() -> None:
    order, _ = classes()
    upcast("order.placed", 2, 3)(lambda document: {**document, "amount": document["amount"] * 100})
    stamped = b'{"order.placed":[1,1]}'
    document = {**OLD, "amount": 1.5, "customer": NEW["customer"]}
    assert read(signature(order), stamped, document)[0][0].amount == 150
    assert read(signature(order), b'{"order.placed":[2,1]}', NEW)[0][0].amount == 150


def test_a_step_that_leads_over_versions_leaves_out_the_steps_between() -> None:
    @message("far", version=20_261_126)
    class Far(TypedDict):
        way: str

    for old, new in (
        (1, 20_000_000),
        (2, 3),
        (19_999_999, 20_000_001),
        (20_000_000, 20_261_126),
        (20_261_126, 30_000_000),
    ):
        upcast("far", old, new)(lambda one, old=old: {"way": f"{one['way']} {old}"})
    for version, way in ((1, " 1 20000000"), (2, " 2 19999999"), (3, " 19999999"), (20_000_001, ""), (20_261_125, "")):
        stamped = msgspec.json.encode({"far": (version, 1)})
        assert read(signature(Far), stamped, {"way": ""}) == (({"way": way},), {})


def test_our_own_version_and_one_that_nobody_told_are_taken_as_they_are() -> None:
    order, _ = classes()
    found = signature(order)
    for stamped in (None, b"", found.stamp, b"{}", b'{"of.others":[9,9]}', b'{"order.placed":[3,3]}'):
        assert read(found, stamped, NEW)[0] == (order(**NEW),)
        with pytest.raises(DecodeError, match=r"what.*: object missing required field"):
            read(found, stamped, OLD)


def test_a_newer_message_is_read_where_it_may_be_and_declined_where_not() -> None:
    order, _ = classes()
    newer = {**NEW, "added": [1]}
    assert read(signature(order), b'{"order.placed":[4,3]}', newer)[0] == (order(**NEW),)
    with pytest.raises(TooNew, match=r"order.placed of version 5, which needs a reader of version 4: .* has version 3"):
        read(signature(list[order]), b'{"order.placed":[5,4]}', [newer])  # type: ignore[valid-type]


def test_the_tag_tells_which_of_several_classes_a_document_is_of() -> None:
    @message("cat", version=2)
    class Cat(msgspec.Struct, tag=True):
        lives: int

    class Dog(msgspec.Struct, tag=True):
        name: str

    upcast("cat", 1, 2)(lambda cat: {**cat, "lives": 9})
    found = signature(list[Cat | Dog])
    assert read(found, b'{"cat":[1,1]}', [{"type": "Cat"}, {"type": "Dog", "name": "rex"}])[0] == (
        [Cat(9), Dog("rex")],
    )


def test_a_model_of_pydantic_is_a_message_too() -> None:
    @message("item", version=2)
    class Item(pydantic.BaseModel):
        name: str

    upcast("item", 1, 2)(lambda item: {"name": item["title"]})
    assert read(signature(Item), b'{"item":[1,1]}', {"title": "x"})[0] == (Item(name="x"),)


def test_an_enum_may_have_a_member_for_what_it_does_not_know() -> None:
    assert read(signature(Kind), None, "fax")[0] == (Kind.UNKNOWN,)


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (lambda order: order["nothing"], "order.placed 2: the step to 3 raised KeyError: 'nothing'"),
        (lambda order: None, "order.placed 2: the step to 3 returned NoneType, no dict"),
    ],
)
def test_a_step_that_fails_is_a_message_that_cannot_be_read(step: Any, told: str) -> None:
    order, _ = classes()
    upcast("order.placed", 2, 3)(step)
    with pytest.raises(DecodeError, match=told):
        read(signature(order), b'{"order.placed":[2,2]}', NEW)


def test_a_step_does_not_change_what_others_see() -> None:
    order, _ = classes()
    document = dict(OLD)
    signature(order).read(b"", [document], {}, V1)
    assert document == OLD


@pytest.mark.parametrize(
    "stamped",
    [
        b"{",
        b"[]",
        b'{"order.placed":1}',
        b'{"order.placed":[0,0]}',
        b'{"order.placed":[-9000000000,1]}',
        b'{"order.placed":[1]}',
        b"\xff",
    ],
)
def test_a_stamp_that_tells_nothing(stamped: bytes) -> None:
    order, _ = classes()
    with pytest.raises(DecodeError, match="p:messages="):
        read(signature(order), stamped, NEW)


@pytest.mark.parametrize(
    ("declare", "told"),
    [
        (lambda: message(""), "message's name"),
        (lambda: message("m", version=0), "version=0"),
        (lambda: message("m", version="2"), "version='2'"),  # type: ignore[arg-type]
        (lambda: message("m", version=2, min_reader=3), "min_reader=3"),
        (lambda: message("m", version=2, writes=3), "writes=3"),
        (lambda: message("m", reserved="total"), "reserved='total'"),
        (lambda: message("m", reserved=[""]), r"reserved=\[''\]"),
        (lambda: downcast("m", 1, 2), r"@downcast\('m', 1, 2\): give two versions, the newer one first"),
        (lambda: [downcast("m", 2, 1)(step) for step in (dict, sorted)], "two steps lead on from 'm' 2"),  # type: ignore[type-var]
        (lambda: message("m")(lambda: None), "is for a class"),  # type: ignore[type-var]
        (lambda: upcast("m", 2, 2), r"@upcast\('m', 2, 2\): give two versions"),
        (lambda: [message("m")(kind) for kind in (Kind, pydantic.BaseModel)], "two messages are called 'm'"),
        (lambda: [upcast("m", 1, to)(step) for to, step in ((2, dict), (3, sorted))], "two steps lead on from 'm' 1"),  # type: ignore[type-var]
    ],
)
def test_a_bad_declaration_is_named(declare: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        declare()


def written(found: Signature, *args: Any) -> tuple[bytes, bytes]:
    """What is written of a call, and its stamp."""
    batch = batch_of_one("t", args, {}, Options(), 1_000_000, signature=found)
    return batch.jobs[2], batch.fields[batch.fields.index("p:messages") + 1]


def two(writes: int | None = 1) -> Any:
    """A message whose producers write its first version while readers of that live."""

    @message("two", version=3, min_reader=3, writes=writes)
    @dataclass
    class Two:
        cents: int
        note: str = ""

    downcast("two", 3, 1)(lambda new: {"amount": new["cents"] / 100})
    upcast("two", 1, 3)(lambda old: {"cents": round(old["amount"] * 100)})
    return Two


def test_producers_may_write_an_older_version_while_its_readers_live() -> None:
    kind = two()
    found = signature(list[kind] | None)  # type: ignore[valid-type]
    old = (b'["t",null,[[{"amount":1.5}]],{}]', b'{"two":[1,1]}')
    assert written(found, [kind(150, "x")]) == old
    assert written(found, [{"cents": 150}]) == old
    assert found.read(old[0], [[{"amount": 1.5}]], {}, old[1]) == (([kind(150)],), {})
    with pytest.raises(InvalidMessage, match="cents"):
        written(found, [{"amount": 1.5}])
    whole = two(writes=None)
    assert written(signature(whole), whole(150)) == (
        b'["t",null,[{"cents":150,"note":""}],{}]',
        b'{"two":[3,3]}',
    )


def test_a_step_down_that_fails_is_told_in_the_producer() -> None:
    @message("broken", version=2, writes=1)
    @dataclass
    class Broken:
        id: int

    @downcast("broken", 2, 1)
    def fail(document: dict[str, Any]) -> dict[str, Any]:
        raise KeyError(document["id"])

    with pytest.raises(InvalidMessage, match="t: broken 2: the step to 1 raised KeyError: 7"):
        written(signature(Broken), Broken(7))


class Plain(Enum):
    WEB = "web"
    UNKNOWN = "unknown"


class Closed(Enum):
    WEB = "web"


def test_a_value_that_an_enum_does_not_know_is_its_member_unknown_wherever_it_stands() -> None:
    @dataclass
    class Sale:
        kind: Plain
        kinds: dict[str, list[Plain | None]]

    document = {"kind": "fax", "kinds": {"a": ["web", None, "telex"]}}
    expected = Sale(Plain.UNKNOWN, {"a": [Plain.WEB, None, Plain.UNKNOWN]})
    assert read(signature(Sale), None, document)[0] == (expected,)
    assert read(signature(Plain | None), None, "fax")[0] == (Plain.UNKNOWN,)
    assert read(signature(Plain, "given"), None, a="fax")[1] == {"a": Plain.UNKNOWN}
    with pytest.raises(ValueError, match="fax"):
        Plain("fax")  # the class itself is as it was
    for kind, value in ((Closed, "fax"), (Plain, 1.5), (Plain, ["web"]), (Sale, {"kind": "fax"})):
        with pytest.raises(DecodeError):
            read(signature(kind), None, value)


def test_a_producer_may_not_send_what_its_own_enum_does_not_know() -> None:
    with pytest.raises(InvalidMessage, match="what: invalid enum value 'fax'"):
        batch_of_one("t", ["fax"], {}, Options(), 1_000_000, signature=signature(Plain))


class Tree(TypedDict):
    leaves: "list[Tree]"


def test_what_is_nested_too_deeply_is_told_so() -> None:
    message("tree", version=2)(Tree)
    deep: Any = {"leaves": []}
    for _ in range(400):
        deep = {"leaves": [deep]}
    with pytest.raises(DecodeError, match="nested too deeply"):
        read(signature(dict[str, Tree]), b'{"tree":[1,1]}', {"a": deep})


def test_a_module_that_is_imported_under_two_names_declares_once() -> None:
    assert classes() != classes()
    assert [one.name for one in contracts.contracts()] == ["customer", "order.placed"]
