"""Calendars: crontab expressions, and what they do where clocks are put forward and back."""

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from postroom import ConfigError
from postroom.jobs.crontab import Crontab

PARIS = "Europe/Paris"
"""Clocks go from 02:00 to 03:00 on 29 March 2026, and from 03:00 back to 02:00 on 25 October."""


def times(text: str, start: str, count: int, tz: str = PARIS) -> list[str]:
    """The next times after `start`, a local time, as local times with their offset from UTC."""
    crontab, zone = Crontab(text, tz), ZoneInfo(tz)
    at = datetime.fromisoformat(start).replace(tzinfo=zone).timestamp()
    found = []
    for _ in range(count):
        at = crontab.after(at)
        found.append(f"{datetime.fromtimestamp(at, zone):%m-%d %H:%M %z}")
    return found


def test_an_ordinary_day() -> None:
    assert times("30 2 * * *", "2026-05-01 02:29", 2) == ["05-01 02:30 +0200", "05-02 02:30 +0200"]
    assert times("30 2 * * *", "2026-05-01 02:30", 1) == ["05-02 02:30 +0200"]
    assert times("*/20 9-10 * * mon", "2026-05-04 09:30", 4) == [
        "05-04 09:40 +0200",
        "05-04 10:00 +0200",
        "05-04 10:20 +0200",
        "05-04 10:40 +0200",
    ]
    assert times("@daily", "2026-05-01 12:00", 1) == ["05-02 00:00 +0200"]
    assert times("0 0 29 2 *", "2026-05-01 12:00", 1, "UTC") == ["02-29 00:00 +0000"]


def test_a_fraction_of_a_second_is_later_than_the_second() -> None:
    crontab, tick = Crontab("* * * * *", "UTC"), datetime(2026, 5, 1, 12, 0, tzinfo=UTC).timestamp()
    assert (crontab.after(tick - 0.001), crontab.after(tick), crontab.after(tick + 0.001)) == (
        tick,
        tick + 60,
        tick + 60,
    )


def test_spring_forward_a_skipped_time_comes_once_at_the_next_minute_there_is() -> None:
    assert times("30 2 * * *", "2026-03-28 12:00", 2) == ["03-29 03:00 +0200", "03-30 02:30 +0200"]
    # Two that are skipped are one: there is only one 03:00.
    assert times("0,30 2 * * *", "2026-03-28 12:00", 3) == [
        "03-29 03:00 +0200",
        "03-30 02:00 +0200",
        "03-30 02:30 +0200",
    ]


def test_spring_forward_every_hour_goes_on_with_the_clock() -> None:
    assert times("30 * * * *", "2026-03-29 00:45", 3) == [
        "03-29 01:30 +0100",
        "03-29 03:30 +0200",
        "03-29 04:30 +0200",
    ]


def test_fall_back_a_fixed_time_comes_once_the_first_time() -> None:
    assert times("30 2 * * *", "2026-10-24 12:00", 2) == ["10-25 02:30 +0200", "10-26 02:30 +0100"]
    assert times("0 3 * * *", "2026-10-24 12:00", 2) == ["10-25 03:00 +0100", "10-26 03:00 +0100"]


def test_fall_back_whoever_looks_within_the_repeated_hour_waits_for_the_next_day() -> None:
    within = datetime(2026, 10, 25, 2, 10, fold=1, tzinfo=ZoneInfo(PARIS)).timestamp()
    found = datetime.fromtimestamp(Crontab("30 2 * * *", PARIS).after(within), ZoneInfo(PARIS))
    assert f"{found:%m-%d %H:%M %z}" == "10-26 02:30 +0100"


def test_fall_back_every_hour_comes_in_the_repeated_hour_again() -> None:
    assert times("30 * * * *", "2026-10-25 01:45", 3) == [
        "10-25 02:30 +0200",
        "10-25 02:30 +0100",
        "10-25 03:30 +0100",
    ]


@pytest.mark.parametrize(
    "tz",
    # By an hour; by half an hour; at midnight, so that 00:30 is skipped; round Ramadan.
    ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca"],
)
@pytest.mark.parametrize("clock", ["0 0", "30 0", "59 1", "0 2", "15 2", "30 2", "0 3", "30 23"])
def test_a_fixed_time_comes_once_on_every_day_of_a_year(tz: str, clock: str) -> None:
    crontab, zone = Crontab(f"{clock} * * *", tz), ZoneInfo(tz)
    at = datetime(2026, 1, 1, 12, tzinfo=zone).timestamp()
    days = []
    for _ in range(365):
        at = crontab.after(at)
        days.append(datetime.fromtimestamp(at, zone).date().toordinal())
    assert days == list(range(days[0], days[0] + 365))


@pytest.mark.parametrize("day", ["2026-03-28", "2026-10-24"])
def test_every_half_hour_never_waits_longer(day: str) -> None:
    crontab, at = Crontab("*/30 * * * *", PARIS), datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
    for _ in range(2 * 24 * 3):
        before, at = at, crontab.after(at)
        assert at - before == 1800


def test_a_day_that_never_comes() -> None:
    assert Crontab("0 0 31 2 *", "UTC").after(0.0) == math.inf


@pytest.mark.parametrize(
    "text", ["", "* * * *", "* * * * * *", "61 * * * *", "* * * * frog", "@never", "R * * * *", "* h(0-3) * * *", 5]
)
def test_what_is_no_crontab_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError, match="cron=") as refused:
        Crontab(text, "UTC")
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize("tz", ["Europe/Pariss", "", "../etc/passwd", "CEST+2", 3])
def test_what_is_no_zone_is_refused_by_name(tz: str) -> None:
    with pytest.raises(ConfigError, match="there is no such time zone") as refused:
        Crontab("* * * * *", tz)
    assert repr(tz) in str(refused.value)


def test_a_zone_that_is_misspelt_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Europe/Paris"):
        Crontab("* * * * *", "Europe/Pariss")
