"""The shop, version 2."""

import sys
from dataclasses import dataclass, field

from postroom import Postroom, message, upcast
from tests.fault.upgrade import journal

app = Postroom()


@dataclass
class Line:
    """What is ordered."""

    sku: str
    count: int
    price: int = 0


@dataclass
class Customer:
    """Who ordered it."""

    name: str


@message("order.placed", version=2, min_reader=1)
@dataclass
class Order:
    """Read by every version."""

    number: int
    lines: list[Line]
    labels: dict[str, str] = field(default_factory=dict)
    note: str = ""
    customer: Customer | None = None


@message("order.moved", version=2)
@dataclass
class Move:
    """Read by none that is older."""

    place: int


@upcast("order.moved", 1, 2)
def numbered(document: dict[str, str]) -> dict[str, int]:
    """Places have numbers now."""
    return {"place": int(document["place"])}


def order(number: int) -> Order:
    """As this version's producer makes it."""
    return Order(number, [Line("a", number, 5), Line("b", 2, 6)], {"made by": "2"}, customer=Customer("c-7"))


def move(number: int) -> Move:
    """As this version's producer makes it."""
    return Move(number)


@app.task(name="take", queue="q0")
def take(order: Order) -> None:
    """Pass an order on: as it is, or with a note."""
    with journal.recorded():
        if order.number % 2:
            order.note = "noted"
        journal.history.acked(keep.enqueue(order).id)


@app.task(name="keep", queue="q1")
def keep(order: Order) -> None:
    """The last reader, of the newest version."""
    with journal.recorded():
        journal.kept(order.number, order)


@app.task(name="shift", queue="q0")
def shift(move: Move) -> None:
    """Only for who knows this version."""
    with journal.recorded():
        assert isinstance(move, Move)


def produce(first: int, count: int) -> None:
    """Enqueue orders, and a move for each fourth."""
    for number in range(first, first + count):
        made = order(number)
        journal.acked(take.enqueue(made), 2, number, made)
        if number % 4 == 0:
            journal.history.acked(shift.enqueue(move(number)).id)


if __name__ == "__main__":
    produce(int(sys.argv[1]), int(sys.argv[2]))
