"""Every codec on a real server: its jobs run, die, are shown, exported, imported and held against the code alike."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from postroom import InvalidMessage, JobFailed, Postroom, Secret, message, upcast
from postroom.contracts.gate import Gate
from postroom.jobs.codecs import CODECS, encode_call
from postroom.jobs.signature import Signature
from postroom.monitor.dead import DeadLetters, Filter
from tests.integration.programs import Command, burst


@dataclass
class Line:
    sku: str
    price: Decimal


@message("codecs.order", version=2)
@dataclass
class Order:
    id: UUID
    placed: datetime
    lines: list[Line]
    scan: bytes = b""


@dataclass
class OldOrder:
    """Version 1, where it was."""

    id: UUID
    placed: datetime
    line: Line
    scan: bytes


@dataclass
class NoOrder:
    id: str


@upcast("codecs.order", 1, 2)
def with_lines(order: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had one line."""
    return {**order, "lines": [order.pop("line")]}


ORDER = Order(UUID(int=7), datetime(2026, 11, 26, tzinfo=UTC), [Line("a", Decimal("1.10"))], b"\x00\xff")


@pytest.fixture(params=CODECS)
def codec(request: pytest.FixtureRequest) -> str:
    """Each of them."""
    return str(request.param)


@pytest.fixture
def got(app: Postroom, codec: str) -> list[Any]:
    """What the handlers got. A bill with a pin dies."""
    seen: list[Any] = []

    @app.task(name="bill", codec=codec)
    def bill(order: Order, *others: Order, pin: Secret[str] = "", **more: int) -> int:
        seen.append((order, others, pin, more))
        if pin:
            raise ValueError(f"{order.id} {pin}")
        return len(others)

    @app.task(name="anything", codec="json" if CODECS[codec].of_task else codec)
    def anything(*args, **kwargs):  # type: ignore[no-untyped-def]
        seen.append((args, kwargs))

    return seen


def encoded(client: Any, codec: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> bytes:
    """A call of `bill`, as a producer writes it to whom it is this function."""
    found = CODECS[codec]
    if found.of_task:
        found = found.of_task("bill", Signature.of("bill", function))
        assert found.schema
        client.hset("postroom:schemas", *found.schema)
    return encode_call("bill", args, kwargs, found)


def stored(client: Any, job_id: str) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = client.hgetall(f"rq:job:{job_id}")
    return found


def test_calls_arrive(app: Postroom, got: list[Any], client: Any, codec: str) -> None:
    bill, anything = (app.tasks[name].prepared for name in ("bill", "anything"))
    jobs = [bill.enqueue(ORDER, ORDER, more=3), asyncio.run(bill.aenqueue(ORDER)), anything.enqueue(1, a=[None, 1.5])]
    jobs += [app.job(job_id) for job_id in bill.enqueue_many([(ORDER,)] * 3)]
    assert {stored(client, job.id)[b"p:type"] for job in jobs if job is not jobs[2]} == {codec.encode()}
    burst(app)
    assert [job.result(5) for job in jobs] == [1, 0, None, 0, 0, 0]
    assert got.count((ORDER, (), "", {})) == 4
    assert (ORDER, (ORDER,), "", {"more": 3}) in got
    assert ((1,), {"a": [None, 1.5]}) in got


def test_what_does_not_fit_is_refused_and_nothing_is_written(app: Postroom, got: list[Any], client: Any) -> None:
    wrong = Order(ORDER.id, ORDER.placed, [Line("a", Decimal(1)), Line("b", "two")])  # type: ignore[arg-type]
    bill = app.tasks["bill"].prepared
    for bad in (lambda: bill.enqueue(wrong), lambda: bill.enqueue_many([(ORDER,), (wrong,)])):
        with pytest.raises(InvalidMessage, match=r"bill: order\.lines\[1\]\.price: invalid decimal string"):
            bad()
    assert client.keys() == got == []


def test_an_older_message_is_brought_up(app: Postroom, got: list[Any], client: Any, codec: str) -> None:
    def bill(order: OldOrder) -> None: ...

    data = encoded(client, codec, bill, OldOrder(ORDER.id, ORDER.placed, ORDER.lines[0], ORDER.scan))
    fields = {"data": data, "p:type": codec, "p:messages": '{"codecs.order":[1,1]}'}
    client.hset("rq:job:old", mapping=fields)
    client.rpush("rq:queue:default", "old")
    burst(app, "default")
    assert app.job("old").result(5) == 0
    assert got == [(ORDER, (), "", {})]


def test_a_dead_letter_is_shown_masked_exported_imported_and_runs_again(
    app: Postroom, got: list[Any], client: Any, command: Command, tmp_path: Path
) -> None:
    job = app.tasks["bill"].prepared.enqueue(ORDER, pin="hunter22", more=1)
    burst(app)
    with pytest.raises(JobFailed, match=r"ValueError: 0{8}-.* \*\*\*"):
        job.result(5)
    shown = command("dead", "show", job.id, "--arguments", "--json").json["arguments"]
    assert (shown["kwargs"], shown["args"][0]["lines"]) == (
        {"pin": "***", "more": 1},
        [{"sku": "a", "price": "1.10"}],
    )
    assert "hunter22" not in command("dead", "show", job.id, "--arguments").out
    file = tmp_path / "dead.jsonl"
    before = stored(client, job.id)
    command("dead", "export", "-o", str(file))
    client.flushall()
    assert command("dead", "import", str(file), "--yes").code == 0
    after = stored(client, job.id)
    assert (after[b"data"], after[b"p:type"]) == (before[b"data"], before[b"p:type"])
    DeadLetters(app).redrive(Filter())
    burst(app)
    assert got[0] == got[1] == (ORDER, (), "hunter22", {"more": 1})


def test_the_gate_binds_them(app: Postroom, got: list[Any], codec: str, client: Any) -> None:
    app.tasks["bill"].prepared.enqueue(ORDER)

    def bill(order: NoOrder, pin: str = "") -> None: ...

    data = encoded(client, codec, bill, NoOrder("x"), pin="hunter22")
    client.hset("rq:job:bad", mapping={"data": data, "p:type": codec})
    client.rpush("rq:queue:default", "bad")
    findings = Gate(app).inspect(app.broker, lambda _: None)
    (problem,) = findings.problems
    assert (findings.looked, problem.task, problem.sample) == (2, "bill", "bad")
    assert "order.id: invalid UUID" in problem.problem
    call = json.loads(problem.arguments)
    assert (call["args"] or [call["kwargs"]["order"]], call["kwargs"]["pin"]) == ([{"id": "x"}], "***")


RUBBISH: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[:-1],
    "longer": lambda data: data + b"\x00",
    "empty": lambda _: b"",
    "of another codec": lambda _: b"\xc1\xff",
}


@pytest.mark.parametrize("damage", RUBBISH)
def test_rubbish_is_undecodable(damage: str, app: Postroom, got: list[Any], codec: str, client: Any) -> None:
    data = stored(client, app.tasks["bill"].prepared.enqueue(ORDER).id)[b"data"]
    client.hset("rq:job:bad", mapping={"data": RUBBISH[damage](data), "p:type": codec})
    client.rpush("rq:queue:default", "bad")
    burst(app)
    assert stored(client, "bad")[b"p:cause"] == b"undecodable"
    assert stored(client, "bad")[b"p:reason"].startswith(b"data is not ")
    assert got == [(ORDER, (), "", {})]
