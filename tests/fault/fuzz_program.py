"""The program of the fuzz case: tasks with many types, and one without any."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from postroom import Postroom, Secret, message, upcast
from postroom.jobs.codecs import CODECS

app = Postroom(unknown_task_ttl=0)


class Kind(Enum):
    """Of an order."""

    WEB = "web"
    SHOP = "shop"


@dataclass
class Line:
    """Of an order."""

    sku: str
    price: Decimal
    count: int = 1


@message("fuzz.order", version=2)
@dataclass
class Order:
    """A bit of everything."""

    id: UUID
    placed: datetime
    kind: Kind
    lines: list[Line]
    scan: bytes = b""
    weights: dict[str, float] = field(default_factory=dict)
    parent: str | None = None


@dataclass
class OldOrder:
    """Its version 1, as older producers have it."""

    id: UUID
    placed: datetime
    kind: Kind
    line: Line


@upcast("fuzz.order", 1, 2)
def with_lines(order: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had one line."""
    return {**order, "lines": [order.pop("line")]}


for codec in CODECS:

    @app.task(name=f"typed.{codec}", codec=codec)
    def typed(order: Order, *others: Order, pin: Secret[str] = "", **more: int) -> None:
        """Looks at what it got, as a handler does."""
        assert isinstance(order.lines[0].price if order.lines else Decimal(0), Decimal)
        assert all(isinstance(one, Order) for one in others)
        assert isinstance(pin, str)
        assert {*map(type, more.values())} <= {int}


def typed_before(order: OldOrder) -> None:
    """What `typed` was."""


@app.task(name="untyped")
def untyped(*args, **kwargs):  # type: ignore[no-untyped-def]
    """Takes anything."""
