"""The consumer's sleep: it ends when a queue has a job or a thread calls, and outlives the server."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from postroom.jobs.broker import Broker
from postroom.jobs.keys import Keys
from postroom.workers.waiter import BLOCK, Waiters
from tests.integration.programs import until
from tests.servers import Server


@pytest.fixture
def waiters(server: Server, client: Any) -> Iterator[Waiters]:
    """Waiters for two queues of the session's server, emptied."""
    client.flushall()
    found = Waiters(Broker(server.url, Keys(), 5.0), ("q", "r"))
    yield found
    found.close()


def later(act: Any, *args: Any) -> threading.Timer:
    timer = threading.Timer(0.1, act, args)
    timer.start()
    return timer


def test_a_push_ends_the_sleep_and_moves_nothing(waiters: Waiters, client: Any) -> None:
    waiters.arm("q")
    waiters.arm("r")
    began = time.monotonic()
    later(client.rpush, "rq:queue:r", "a", "b")
    assert waiters.wait(5) == [("r", None)]
    assert time.monotonic() - began < 1
    assert client.lrange("rq:queue:r", 0, -1) == [b"a", b"b"]
    assert waiters.wait(0.1) == [], "r is armed no more, and q is empty"
    client.rpush("rq:queue:q", "c")
    assert waiters.wait(5) == [("q", None)]


def test_it_asks_again_when_its_blocking_call_has_ended(waiters: Waiters, client: Any) -> None:
    waiters.arm("q")
    end = time.monotonic() + BLOCK + 0.5
    while time.monotonic() < end:
        assert waiters.wait(0.2) == []
    client.rpush("rq:queue:q", "a")
    assert waiters.wait(5) == [("q", None)]


def test_a_call_ends_the_sleep_or_the_next_one(waiters: Waiters) -> None:
    began = time.monotonic()
    later(waiters.wake)
    assert waiters.wait(5) == []
    assert waiters.called
    assert waiters.wait(5) == []
    assert time.monotonic() - began < 1
    waiters.called = False
    began = time.monotonic()
    assert waiters.wait(0.2) == []
    assert time.monotonic() - began >= 0.2


def test_a_call_is_never_slept_through(waiters: Waiters) -> None:
    """Two threads in step: each call must be heard before the next is made."""
    heard = threading.Semaphore(0)

    def call() -> None:
        for _ in range(2000):
            waiters.wake()
            heard.acquire(timeout=5)

    thread = threading.Thread(target=call)
    thread.start()
    for _ in range(2000):
        while not waiters.called:
            began = time.monotonic()
            waiters.wait(5)
            assert time.monotonic() - began < 4
        waiters.called = False
        heard.release()
    thread.join()


def test_the_server_may_go_and_come_back() -> None:
    with Server() as server:
        waiters = Waiters(Broker(server.url, Keys(), 1.0), ["q"])
        waiters.arm("q")
        server.kill()
        # The consumer shall ask by itself, and not at once: the server may be back, and jobs be waiting
        began = time.monotonic()
        until(lambda: waiters.wait(0.2) == [("q", None)])
        assert time.monotonic() - began > 0.09
        waiters.arm("q")
        until(lambda: waiters.wait(0.2) == [("q", None)])
        server.start()
        waiters.arm("q")
        with server.client() as client:
            client.rpush("rq:queue:q", "a")
        until(lambda: waiters.wait(0.2) == [("q", None)])
        waiters.close()
