"""What the tests of `postroom dead` share: a shop whose handler can be broken and mended, and the real command."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from postroom import Postroom
from postroom.__main__ import main
from tests.integration.programs import burst
from tests.servers import Server


@dataclass(frozen=True)
class Said:
    """What a command left: its exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """The JSON documents on stdout, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


Dead = Callable[..., Said]


@pytest.fixture
def dead(server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Dead:
    """`postroom dead …` on the session's server, nobody at the terminal."""
    monkeypatch.setenv("POSTROOM_REDIS_URL", server.url)

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["postroom", "dead", *arguments])
        capsys.readouterr()
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        else:
            code = 0
        return Said(int(code or 0), *capsys.readouterr())

    return run


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
