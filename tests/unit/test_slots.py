"""Soft timeouts in threads: raised once into the thread that overruns, and never into the job after it."""

import threading
import time
from collections.abc import Callable

import pytest

from postroom.jobs.errors import JobTimeout
from postroom.workers.board import Board
from postroom.workers.slots import Slot


def new_slot() -> Slot:
    """A slot on a board of its own."""
    return Slot(Board(1), 0, 5.0)


def in_thread(run: Callable[[], None]) -> None:
    """Run in a thread of its own, and raise what it raised."""
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            run()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    if raised:
        raise raised[0]


def ringing(slot: Slot, stop: threading.Event) -> threading.Thread:
    """An alarm that looks all the time."""

    def ring() -> None:
        while not stop.is_set():
            slot.ring()

    thread = threading.Thread(target=ring, daemon=True)
    thread.start()
    return thread


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_it_rings_once_when_the_time_is_over_and_not_before() -> None:
    slot = new_slot()
    assert not slot.ring(), "nothing runs"

    def run() -> None:
        slot.enter("job", 1, time.time(), 0.05)
        assert not slot.ring()
        spin(0.06)
        with pytest.raises(JobTimeout):  # noqa: PT012 - it comes at any bytecode after the ring
            slot.ring()
            spin(1)
        assert not slot.ring(), "once"
        slot.disarm()

    in_thread(run)


@pytest.mark.parametrize("timeout", [-1, 0])
def test_a_job_may_run_for_ever(timeout: float) -> None:
    slot = new_slot()
    slot.enter("job", 1, time.time(), timeout)
    assert not slot.ring()
    slot.disarm()


def test_what_was_rung_but_did_not_arrive_is_taken_back() -> None:
    slot = new_slot()
    rung = threading.Event()

    def run() -> None:
        try:
            slot.enter("job", 1, time.time(), 0.001)
            rung.wait(5)
        except JobTimeout:
            pass
        finally:
            slot.disarm()
        spin(0.05)

    thread = threading.Thread(target=lambda: in_thread(run))
    thread.start()
    end = time.monotonic() + 5
    while not slot.ring() and time.monotonic() < end:
        pass
    rung.set()
    thread.join(10)
    assert slot.job_id == ""


def test_jobs_that_end_just_then_are_hit_inside_or_not_at_all() -> None:
    """The next job, and the thread between two jobs, never are."""
    slot, stop = new_slot(), threading.Event()
    alarm = ringing(slot, stop)
    inside = outside = 0

    def run() -> None:
        nonlocal inside, outside
        for number in range(3000):
            try:
                slot.enter("job", 1, time.time(), 0.0002)
                try:
                    spin(0.0001 + 0.0002 * (number % 7) / 7)
                finally:
                    slot.disarm()
            except JobTimeout:
                inside += 1
            try:
                for _ in range(20):
                    pass
            except JobTimeout:
                outside += 1

    try:
        in_thread(run)
    finally:
        stop.set()
        alarm.join()
    assert outside == 0
    assert 0 < inside < 3000
