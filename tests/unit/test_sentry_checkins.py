"""Slugs and configurations of Sentry's monitors."""

import re
from typing import Any

import pytest

from postroom.integrations.sentry_checkins import monitor_config, slug
from postroom.jobs.schedules import Schedule


def schedule(**fields: Any) -> Schedule:
    """A schedule."""
    return Schedule(**{"name": "s", "task": "t", "queue": "q", **fields})


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("nightly", "nightly"),
        ("shop.tasks.send_report", "shop-tasks-send_report"),
        ("Shop:Report", "shop-report"),
    ],
)
def test_a_slug_reads_like_the_name(name: str, made: str) -> None:
    assert slug(name) == made


def test_every_name_has_a_slug_that_sentry_takes() -> None:
    names = ["7", "42.5", "x" * 200, "x" * 199 + "y", "überfällig", "…", "-", "a" * 50, "a" * 51]
    made = [slug(name) for name in names]
    assert len(set(made)) == len(names)
    assert all(re.fullmatch(r"(?!\d+$)[a-z0-9_-]{1,50}", one) for one in made), made


def test_a_crontab_and_whole_minutes_are_monitored() -> None:
    assert monitor_config(schedule(cron="0 3 * * *", tz="Europe/Paris", jitter=90.0, timeout=61)) == {
        "schedule": {"type": "crontab", "value": "0 3 * * *"},
        "timezone": "Europe/Paris",
        "checkin_margin": 3,
        "max_runtime": 2,
    }
    assert monitor_config(schedule(every=7_200.0)) == {
        "schedule": {"type": "interval", "value": 120, "unit": "minute"},
        "timezone": "UTC",
        "checkin_margin": 1,
    }


def test_what_sentry_does_not_know_is_not_monitored() -> None:
    assert monitor_config(schedule(every=90.0)) is None
