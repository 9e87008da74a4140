"""Liveness is the main loop's: whatever else is wrong, a new process would not help."""

import time
from collections.abc import Callable

import pytest

from postroom import Postroom
from postroom.health import STALE, Health, hasty_broker
from postroom.workers.record import Record


@pytest.mark.parametrize(("passed", "alive"), [(0.0, True), (STALE - 1, True), (STALE + 1, False)])
def test_a_main_loop_that_stands_still(
    passed: float, alive: bool, app_without_server: Callable[[], Postroom], monkeypatch: pytest.MonkeyPatch
) -> None:
    record, now = Record(1), time.monotonic()
    record.look(stopping=False)
    with monkeypatch.context() as patch:
        patch.setattr("postroom.workers.record.time.monotonic", lambda: now + passed)
        said = Health(hasty_broker(app_without_server()), record).alive()
    assert (said == "") is alive
    assert alive or "stood still for 31 s" in said


def test_before_the_processes_have_joined_and_when_it_stops(app_without_server: Callable[[], Postroom]) -> None:
    record = Record(2)
    health = Health(hasty_broker(app_without_server()), record)
    assert health.ready() == "0 of 2 worker processes have joined"
    record.look(stopping=True)
    assert health.ready() == "it is stopping"
    assert health.alive() == ""


def test_a_server_that_is_away_is_no_matter_of_life(app_without_server: Callable[[], Postroom]) -> None:
    health = Health(hasty_broker(app_without_server()))
    assert "was not reached" in health.ready()
    assert health.alive() == ""
