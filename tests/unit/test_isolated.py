"""The isolated executor: which process begins a job."""

import threading
import time
from collections.abc import Iterator
from queue import Queue
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from postroom.workers import isolated
from postroom.workers.board import Board
from postroom.workers.claimed import Claimed
from postroom.workers.isolated import Isolated
from postroom.workers.outcome import Outcome
from postroom.workers.ready import ISOLATED, Ready
from tests.integration.programs import until


class There:
    """A process that has loaded the app."""

    has_ended = False
    is_ready = True

    def run(self, message: bytes) -> bytes:
        """Says for which job it is done."""
        time.sleep(0.02)
        return msgspec.msgpack.encode(("complete", [msgspec.msgpack.decode(message)["id"]]))

    def end(self) -> None:
        """It has nothing to end."""


class Coming(There):
    """One that loads the app until it is let go."""

    is_ready = False

    def __init__(self, come: threading.Event) -> None:
        self._come = come

    def await_ready(self) -> None:
        """Until it has loaded the app."""
        self._come.wait(20)
        self.is_ready = True

    def kill(self) -> None:
        """Its start took too long."""
        self._come.set()


def ready(number: int) -> Ready:
    """An isolated job."""
    job = Claimed(f"job-{number}", "q", 1, b"", "", 0, None, None, None, None, False, 0, time.monotonic())
    return Ready(job, "work", ISOLATED, 0, 0)


@pytest.fixture
def come() -> Iterator[threading.Event]:
    """What those processes wait for that are started."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def done() -> Queue[Outcome]:
    """What became of the jobs."""
    return Queue()


@pytest.fixture
def executor(come: threading.Event, done: Queue[Outcome], monkeypatch: pytest.MonkeyPatch) -> Iterator[Isolated]:
    """Two places, a process for the first."""
    monkeypatch.setattr("postroom.workers.isolated.JobProcess.spawn", lambda *_: Coming(come))
    runner: Any = SimpleNamespace(worker="w")
    warm: Any = There()
    found = Isolated("app:app", runner, Board(2), 0, 2, 1.0, done.put, warm)
    yield found
    found.stop()


def test_no_job_waits_for_a_process_to_start_while_another_is_there(
    executor: Isolated, done: Queue[Outcome], come: threading.Event
) -> None:
    executor.give([ready(number) for number in range(4)])
    assert [done.get(timeout=5).job.id for _ in range(4)] == [f"job-{number}" for number in range(4)]
    assert not come.is_set()


def test_what_waits_for_a_process_that_is_coming_is_not_stuck(
    executor: Isolated, done: Queue[Outcome], come: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, let_go = threading.Event(), threading.Event()

    def run(self: There, message: bytes) -> bytes:
        begun.set()
        let_go.wait(20)
        return msgspec.msgpack.encode(("complete", []))

    monkeypatch.setattr(There, "run", run)
    executor.give([ready(0)])
    assert begun.wait(5)
    executor.give([ready(1)])
    assert (executor.busy, executor.waiting, executor.free, executor.oldest) == (1, 1, 0, 0.0)
    executor.give([ready(2)])
    come.set()
    until(lambda: executor.busy == 2)
    assert (executor.waiting, executor.free) == (1, -1)
    assert executor.oldest > 0  # now it waits for a place, and others may have it
    let_go.set()
    assert {done.get(timeout=5).job.id for _ in range(3)} == {"job-0", "job-1", "job-2"}


def test_a_process_that_does_not_come_up_costs_no_job_anything(
    executor: Isolated, done: Queue[Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> There:
        raise OSError("no more processes")

    monkeypatch.setattr(isolated, "PAUSE", 0.01)
    monkeypatch.setattr("postroom.workers.isolated.JobProcess.spawn", fails)
    monkeypatch.setattr(There, "has_ended", True)
    executor.give([ready(0)])
    assert done.get(timeout=5).verb == "release"
