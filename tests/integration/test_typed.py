"""Typed tasks on a real server: what does not fit is refused and nothing is written; what fits arrives as its type."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pydantic
import pytest

from postroom import InvalidMessage, JobFailed, Postroom
from postroom.monitor.dead import DeadLetters, Filter
from tests.integration.programs import burst


@dataclass
class Line:
    sku: str
    price: Decimal


@dataclass
class Order:
    id: UUID
    placed: datetime
    lines: list[Line]


class Customer(pydantic.BaseModel):
    name: str
    since: datetime


ORDER = Order(UUID(int=7), datetime(2026, 11, 26, tzinfo=UTC), [Line("a", Decimal("1.10")), Line("b", Decimal("2"))])
WRONG = Order(ORDER.id, ORDER.placed, [Line("a", Decimal(1)), Line("b", "two")])  # type: ignore[arg-type]


@pytest.fixture
def seen(app: Postroom) -> list[Any]:
    """What the handlers of `sum_up` and of `greet` got."""
    got: list[Any] = []

    @app.task(name="sum_up")
    def sum_up(order: Order, *, currency: str = "EUR") -> str:
        got.append(order)
        return f"{sum(line.price for line in order.lines)} {currency}"

    @app.task(name="greet")
    async def greet(customer: Customer) -> None:
        got.append(customer)

    return got


def test_arguments_arrive_as_their_types(app: Postroom, seen: list[Any]) -> None:
    typed = app.tasks["sum_up"].prepared
    jobs = [typed.enqueue(ORDER), app.enqueue("sum_up", ORDER, kwargs={"currency": "USD"})]
    ada = Customer(name="Ada", since=ORDER.placed)
    asyncio.run(app.tasks["greet"].prepared.aenqueue(ada))
    (many,) = typed.enqueue_many([(ORDER,)])
    burst(app)
    assert [job.result(5) for job in jobs] == ["3.10 EUR", "3.10 USD"]
    assert app.job(many).result(5) == "3.10 EUR"
    assert sorted(seen, key=repr) == [ada, ORDER, ORDER, ORDER]


@pytest.mark.parametrize(
    "hand_over",
    [
        lambda app: app.tasks["sum_up"].prepared.enqueue(WRONG),
        lambda app: app.tasks["sum_up"].prepared.using(delay=5, job_id="x").enqueue(WRONG),
        lambda app: app.tasks["sum_up"].prepared.enqueue_many([(ORDER,), (WRONG,)]),
        lambda app: list(app.tasks["sum_up"].prepared.enqueue_many(iter([(ORDER,), (WRONG,)]))),
        lambda app: asyncio.run(app.tasks["sum_up"].prepared.aenqueue(WRONG)),
        lambda app: app.enqueue("sum_up", WRONG, queue="elsewhere"),
    ],
    ids=["enqueue", "using", "many", "iterator", "aenqueue", "by-name"],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(
    app: Postroom, client: Any, seen: list[Any], hand_over: Callable[[Postroom], Any]
) -> None:
    with pytest.raises(InvalidMessage, match=r"sum_up: order\.lines\[1\]\.price: invalid decimal string"):
        hand_over(app)
    assert client.keys() == []
    assert seen == []


def test_what_a_producer_without_the_code_sent_is_a_dead_letter(
    app: Postroom, client: Any, seen: list[Any], server: Any
) -> None:
    producer = Postroom(server.url)
    bad = producer.enqueue("sum_up", {"id": "7"})
    burst(app)
    with pytest.raises(JobFailed, match=r"sum_up: order\.id: invalid UUID"):
        bad.result(5)
    (letter,) = DeadLetters(app).newest(Filter(), 2)
    assert (letter.cause, letter.task, letter.attempts) == ("undecodable", "sum_up", 1)
    assert seen == []
    producer.broker.close()
