"""Postroom's no-op tasks that take an order: one with its types, and one that takes it as it comes."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from benchmarks.apps import postroom_app
from postroom import Postroom

app = Postroom()


@dataclass
class Line:
    """One of an order's lines."""

    sku: str
    quantity: int
    price: Decimal


@dataclass
class Order:
    """What a shop would send."""

    id: UUID
    placed: datetime
    lines: list[Line]


ORDER = Order(
    UUID(int=7), datetime(2026, 11, 26, tzinfo=UTC), [Line(f"sku-{at}", at, Decimal("1.10")) for at in (1, 2, 3)]
)


@app.task
def typed(order: Order) -> None:
    """Do nothing."""


@app.task
def plain(order: Any) -> None:
    """Do nothing."""


def connect() -> None:
    """Reach the server, so that the clock need not wait for it."""
    app.broker.ping()


def bulk(count: int, size: int) -> None:
    """Enqueue `count` jobs, typed ones where `size` is 1."""
    (typed if size else plain).enqueue_many([(ORDER,)] * count)


read = postroom_app.read
