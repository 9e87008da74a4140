"""The shop, version 1."""

import sys
from dataclasses import dataclass, field

from postroom import Postroom, message
from tests.fault.upgrade import journal

app = Postroom()


@dataclass
class Line:
    """What is ordered."""

    sku: str
    count: int


@message("order.placed")
@dataclass
class Order:
    """Read by every version."""

    number: int
    lines: list[Line]
    labels: dict[str, str] = field(default_factory=dict)
    note: str = ""


@message("order.moved")
@dataclass
class Move:
    """Read by none that is older."""

    place: str


def order(number: int) -> Order:
    """As this version's producer makes it."""
    return Order(number, [Line("a", number), Line("b", 2)], {"made by": "1"})


def move(number: int) -> Move:
    """As this version's producer makes it."""
    return Move(str(number))


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
        journal.acked(take.enqueue(made), 1, number, made)
        if number % 4 == 0:
            journal.history.acked(shift.enqueue(move(number)).id)


if __name__ == "__main__":
    produce(int(sys.argv[1]), int(sys.argv[2]))
