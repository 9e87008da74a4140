"""Appetite: how many jobs a worker claims, by what is free, what waits, and what it learned."""

from dataclasses import dataclass

import pytest

from postroom.workers import appetite
from postroom.workers.appetite import MOST, Appetite, Pace
from postroom.workers.ready import COROUTINE, ISOLATED, THREAD


@dataclass
class Places:
    """An executor, as far as appetite looks."""

    free: int
    waiting: int = 0


def test_it_fills_what_is_free_and_no_more() -> None:
    hungry = Appetite({THREAD: 1.0}, Pace())
    assert hungry.jobs({THREAD: Places(10)}) == 10
    assert hungry.jobs({THREAD: Places(0)}) == 0
    assert hungry.jobs({THREAD: Places(10, waiting=4)}) == 6
    assert hungry.jobs({THREAD: Places(10, waiting=6)}) == 0, "more than half is here: a claim would bring little"


def test_every_executor_that_the_jobs_need_must_have_room() -> None:
    mixed = Appetite({THREAD: 0.5, ISOLATED: 0.5}, Pace())
    assert mixed.jobs({THREAD: Places(10), ISOLATED: Places(2)}) == 4
    assert mixed.jobs({THREAD: Places(10), ISOLATED: Places(0)}) == 0
    assert Appetite({THREAD: 1.0}, Pace()).jobs({THREAD: Places(10), ISOLATED: Places(0)}) == 10


def test_it_claims_ahead_as_far_as_the_pace_carries() -> None:
    pace = Pace()
    pace.per_second = 1000.0
    assert Appetite({THREAD: 1.0}, pace).jobs({THREAD: Places(0)}) == 1000 * appetite.AHEAD
    pace.per_second = 1e9
    assert Appetite({THREAD: 1.0}, pace).jobs({THREAD: Places(0)}) == MOST
    assert Appetite({COROUTINE: 1.0}, Pace()).jobs({COROUTINE: Places(10_000)}) == MOST


def test_it_learns_where_the_jobs_go() -> None:
    executors = {THREAD: Places(10), COROUTINE: Places(1000)}
    hungry = Appetite({THREAD: 1.0}, Pace())
    hungry.learn({})
    assert hungry.jobs(executors) == 10
    for _ in range(20):
        hungry.learn({COROUTINE: 50})
    assert hungry.jobs(executors) == MOST
    for _ in range(20):
        hungry.learn({THREAD: 1})
    assert hungry.jobs(executors) == 10


def test_the_pace_falls_at_once_and_rises_by_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("postroom.workers.appetite.time.monotonic", lambda: now)
    pace = Pace()
    now += 1.0
    pace.add(1000)
    assert pace.per_second == 500.0
    now += 1.0
    pace.add(1000)
    assert pace.per_second == 750.0
    now += 1.0
    pace.add(10)
    assert pace.per_second == 10.0
    now += 0.25
    assert pace.silence == 0.25


def test_what_is_settled_within_a_window_is_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("postroom.workers.appetite.time.monotonic", lambda: now)
    pace = Pace()
    now += Pace.WINDOW / 2
    pace.add(5)
    assert pace.per_second == 0.0
    now += Pace.WINDOW
    pace.add(5)
    assert pace.per_second == pytest.approx(0.5 * 10 / (1.5 * Pace.WINDOW))
