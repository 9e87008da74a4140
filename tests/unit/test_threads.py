"""The thread executor: who leads, who runs, and that a job is never left with nobody to run it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from postroom.workers.board import Board
from postroom.workers.claimed import Claimed
from postroom.workers.outcome import Outcome
from postroom.workers.ready import THREAD, Ready
from postroom.workers.slots import Slot
from postroom.workers.threads import Threads


def job(number: int) -> Ready:
    """A claimed job."""
    claimed = Claimed(str(number), "q", 1, b"", "", 0, None, None, None, None, False, 0, time.monotonic())
    return Ready(claimed, "name", THREAD, 0.0, 0, lambda: None, (), {})


class Stage:
    """An executor whose turns give what lies in `coming`, and what its threads ran."""

    def __init__(self, concurrency: int, run: Callable[[str], None]) -> None:
        self.ran: list[tuple[str, str]] = []
        self.leaders: list[str] = []
        self.coming: list[list[Ready]] = []
        self.over: bool | None = None
        self._run = run
        self._bell = threading.Event()
        board = Board(concurrency)
        self.threads = Threads([Slot(board, i, 5.0) for i in range(concurrency)], self._called, self._done)

    def turn(self) -> bool | None:
        """What a consumer does: wait a while, then give."""
        self.leaders.append(threading.current_thread().name)
        if not self.coming:
            self._bell.wait(0.02)
            self._bell.clear()
        if self.coming:
            self.threads.give(self.coming.pop(0))
        elif self.threads.waiting and self.threads.free:
            self.threads.nudge()
        return self.over

    def bring(self, *jobs: Ready) -> None:
        """The next turn gives these."""
        self.coming.append(list(jobs))
        self._bell.set()

    def wait_for(self, count: int) -> None:
        """Until so many jobs have run."""
        end = time.monotonic() + 10
        while len(self.ran) < count and time.monotonic() < end:
            time.sleep(0.001)
        assert len(self.ran) == count

    def _called(self, ready: Ready, slot: Slot) -> Any:
        self._run(ready.job.id)
        self.ran.append((ready.job.id, threading.current_thread().name))

    def _done(self, outcome: Outcome) -> None:
        self._bell.set()


@contextmanager
def leading(stage: Stage) -> Iterator[list[Any]]:
    """Led in the background; yields what `lead` returned or raised."""
    ends: list[Any] = []

    def lead() -> None:
        try:
            ends.append(stage.threads.lead(stage.turn))
        except Exception as error:
            ends.append(error)

    main = threading.Thread(target=lead)
    main.start()
    try:
        yield ends
    finally:
        stage.over = False if stage.over is None else stage.over
        main.join(10)
        stage.threads.stop()
        assert not main.is_alive()


def test_the_leader_runs_a_lone_job_and_another_leads_on() -> None:
    stage = Stage(2, lambda _: time.sleep(0.1))
    with leading(stage):
        time.sleep(0.05)
        leader = stage.leaders[-1]
        stage.bring(job(1))
        time.sleep(0.05)
        assert stage.leaders[-1] != leader, "somebody leads while it runs"
        stage.wait_for(1)
    assert stage.ran == [("1", leader)]


def test_with_one_slot_there_is_still_one_to_lead() -> None:
    stage = Stage(1, lambda _: time.sleep(0.2))
    with leading(stage):
        stage.bring(job(1))
        time.sleep(0.05)
        turns = len(stage.leaders)
        time.sleep(0.1)
        assert len(stage.leaders) > turns
        assert not stage.ran
        stage.wait_for(1)


@pytest.mark.parametrize("concurrency", [1, 2, 8])
def test_every_job_runs_once_however_they_come(concurrency: int) -> None:
    stage = Stage(concurrency, lambda one: time.sleep(int(one) % 3 * 0.0005))
    numbers = iter(range(3000))
    with leading(stage) as ends:
        for size in range(60):
            stage.bring(*(job(next(numbers)) for _ in range(1 if size % 2 else size)))
            if size % 7 == 0:
                time.sleep(0.01)
        stage.wait_for(next(numbers))
        stage.over = True
    assert ends == [True]
    assert len({one for one, _ in stage.ran}) == len(stage.ran)


def test_no_more_run_than_there_are_slots() -> None:
    running, most = [0], [0]
    lock = threading.Lock()

    def run(_: str) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.01)
        with lock:
            running[0] -= 1

    stage = Stage(3, run)
    with leading(stage):
        stage.bring(*map(job, range(30)))
        stage.wait_for(30)
    assert most[0] == 3


def test_what_a_turn_raises_is_raised_where_it_was_asked_for() -> None:
    stage = Stage(2, lambda _: None)

    def turn() -> bool | None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        stage.threads.lead(turn)
    stage.threads.stop()
