"""What the tests of `postroom dead` share: a shop whose handler can be broken and mended, and the real command."""

from functools import partial

import pytest

from postroom import Postroom
from tests.integration.programs import Command, burst

Dead = Command


@pytest.fixture
def dead(command: Command) -> Dead:
    """`postroom dead …`."""
    return partial(command, "dead")


class Shop:
    """An app with two tasks that fail while they are broken."""

    def __init__(self, app: Postroom) -> None:
        self.app = app
        self.broken = True
        self.done: list[int] = []

        @app.task(name="shop.send", queue="mail")
        def send(order: int) -> int:
            if self.broken:
                raise ValueError(f"Order {order} has no address")
            self.done.append(order)
            return order

        @app.task(name="shop.render", queue="pdf")
        def render(order: int) -> None:
            raise KeyError(order)

        self.send, self.render = send, render

    def kill(self, *orders: int, queue: str = "mail") -> list[str]:
        """Dead letters of `send`, one after the other."""
        ids = []
        for order in orders:
            ids.append(self.app.enqueue("shop.send", order, queue=queue).id)
            self.work(queue)
        return ids

    def work(self, *queues: str) -> None:
        """Run what is queued."""
        burst(self.app, *(queues or ("mail",)))


@pytest.fixture
def shop(app: Postroom) -> Shop:
    """The shop, broken, on the session's server, emptied."""
    return Shop(app)
