"""The shop, version 3."""

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
    gift: bool = False


@dataclass
class Customer:
    """Who ordered it."""

    name: str
    email: str = ""


@dataclass
class Parcel:
    """What is sent."""

    weight: int


@message("order.placed", version=3, min_reader=1)
@dataclass
class Order:
    """Read by every version."""

    number: int
    lines: list[Line]
    labels: dict[str, str] = field(default_factory=dict)
    note: str = ""
    customer: Customer | None = None
    currency: str = "EUR"
    parcels: dict[str, Parcel] = field(default_factory=dict)


@message("order.moved", version=3)
@dataclass
class Move:
    """Read by none that is older."""

    place: int
    shelf: int


@upcast("order.moved", 1, 2)
def numbered(document: dict[str, str]) -> dict[str, int]:
    """Places have numbers now."""
    return {"place": int(document["place"])}


@upcast("order.moved", 2, 3)
def shelved(document: dict[str, int]) -> dict[str, int]:
    """Places have shelves now."""
    return {**document, "shelf": 0}


def order(number: int) -> Order:
    """As this version's producer makes it."""
    lines = [Line("a", number, 5, gift=True), Line("b", 2, 6)]
    parcels = {"first": Parcel(number), "second": Parcel(7)}
    return Order(number, lines, {"made by": "3"}, "", Customer("c-7", "c-7@example.org"), "USD", parcels)


def move(number: int) -> Move:
    """As this version's producer makes it."""
    return Move(number, 3)


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
        journal.acked(take.enqueue(made), 3, number, made)
        if number % 4 == 0:
            journal.history.acked(shift.enqueue(move(number)).id)


if __name__ == "__main__":
    produce(int(sys.argv[1]), int(sys.argv[2]))
