"""The coroutine executor: whatever a handler does to its loop or task, every job is settled, none over the limit."""

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from postroom import Postroom
from postroom.workers.board import Board
from postroom.workers.claimed import Claimed, read_claim
from postroom.workers.coroutines import Coroutines
from postroom.workers.outcome import Outcome
from postroom.workers.ready import COROUTINE, Ready
from postroom.workers.runner import Runner

COUNT = 3


class Loop:
    """An executor with COUNT slots, and what came out of it."""

    def __init__(self, app: Postroom) -> None:
        self.outcomes: list[Outcome] = []
        self.executor = Coroutines(Runner(app, "w1"), Board(COUNT), 0, COUNT, 5.0, self.outcomes.append)

    def give(self, *functions: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        start = len(self.outcomes)
        self.executor.give(
            [Ready(claimed(start + i), "t", COROUTINE, 60.0, 0, run, (), {}) for i, run in enumerate(functions)]
        )

    def settled(self, count: int) -> list[str]:
        end = time.monotonic() + 10
        while len(self.outcomes) < count and time.monotonic() < end:
            time.sleep(0.005)
        return [outcome.verb for outcome in self.outcomes]


def claimed(number: int) -> Claimed:
    return read_claim([7, [*([None] * 13), f"job-{number}".encode()]], "q", 0.0)[0]


@pytest.fixture
def loop(app_without_server: Callable[[], Postroom]) -> Iterator[Loop]:
    found = Loop(app_without_server())
    yield found
    found.executor.stop()


async def nothing() -> None:
    """Return at once."""


def test_no_more_run_at_once_than_there_are_slots(loop: Loop) -> None:
    running, most = 0, 0

    async def counted() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1

    loop.give(*[counted] * 12)
    assert loop.settled(12) == ["complete"] * 12
    assert most == COUNT
    assert (loop.executor.free, loop.executor.busy, loop.executor.waiting) == (COUNT, 0, 0)


def test_a_job_that_is_canceled_before_its_first_step_leaves_our_hands(loop: Loop) -> None:
    async def endless() -> None:
        await asyncio.sleep(60)

    for number in range(20):
        loop.give(endless)
        loop.executor.cancel(f"job-{number}")
        assert loop.settled(number + 1)[-1] == "release"
    assert loop.executor.busy == 0


def test_an_exit_in_a_task_of_a_handlers_own_ends_nobody_else(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    async def leaves() -> None:
        async def leave() -> None:
            sys.exit("enough")

        kept = asyncio.get_running_loop().create_task(leave())
        await asyncio.sleep(0.05)
        with pytest.raises(SystemExit):
            await kept

    loop.give(leaves, nothing)
    assert sorted(loop.settled(2)) == ["complete", "complete"]
    loop.give(nothing)
    assert loop.settled(3) == ["complete"] * 3
    assert "it goes on" in caplog.text
