"""Schedules: what may be declared, and which tick is made when."""

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from postroom import ConfigError, EncodeError, Postroom, Rejected
from postroom.jobs.schedules import GRACE, Every, Schedule, read

Apps = Callable[[], Postroom]
NOW = 1_800_000_000.0
"""Some time, and a whole minute."""


def report(kind: str = "short") -> str:
    """A task."""
    return kind


def schedule(**fields: Any) -> Schedule:
    """A schedule of every minute."""
    return Schedule(**{"name": "s", "task": "t", "queue": "q", "every": 60.0, **fields})


def test_a_function_on_a_schedule_is_a_task_besides(app_without_server: Apps) -> None:
    app = app_without_server()
    declared = app.cron("0 3 * * *", tz="Europe/Paris", queue="reports", timeout=30, name="report")(report)
    assert declared is report
    assert declared() == "short"
    assert app.tasks["report"].queue == "reports"
    made = app.schedules["report"]
    assert (made.name, made.task, made.queue, made.timeout) == ("report", "report", "reports", 30)
    assert (made.when, made.catch_up, made.overlap) == ("0 3 * * * Europe/Paris", "last", "allow")


def test_a_task_has_as_many_schedules_as_have_names(app_without_server: Apps) -> None:
    app = app_without_server()
    task = app.task(name="report", queue="reports")(report)
    app.schedule(task, "0 8 * * 1", name="weekly", args=("long",))
    app.schedule("report", every=timedelta(hours=1), name="hourly", queue="fast", jitter=5)
    app.schedule("elsewhere.task", "@daily", kwargs={"a": 1})
    weekly, hourly, elsewhere = app.schedules.values()
    assert (weekly.args, weekly.queue, weekly.tz) == (("long",), "reports", "UTC")
    assert (hourly.every, hourly.queue, hourly.jitter, hourly.when) == (3600.0, "fast", 5.0, "every 3600 s")
    assert (elsewhere.name, elsewhere.task, elsewhere.queue) == ("elsewhere.task", "elsewhere.task", "default")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"cron": "0 0 31 2 *"}, r"'0 0 31 2 \*': such a day never comes"),
        ({"cron": "every day"}, "'every day'"),
        ({"cron": "@daily", "tz": "Europe/Pariss"}, "'Europe/Pariss'"),
        ({"cron": "@daily", "tz": ["UTC"]}, r"tz=\['UTC'\]"),
        ({"cron": "@daily", "every": 60}, "one of them"),
        ({}, "one of them"),
        ({"every": 0}, "every=0"),
        ({"every": timedelta(0)}, r"every=datetime.timedelta\(0\)"),
        ({"every": 0.5}, "every=0.5"),
        ({"every": -1}, "every=-1"),
        ({"every": "60"}, "every='60'"),
        ({"every": True}, "every=True"),
        ({"every": float("nan")}, "every=nan"),
        ({"every": 60, "tz": "UTC"}, "tz='UTC' is for a crontab"),
        ({"every": 60, "jitter": -1}, "jitter=-1"),
        ({"every": 60, "catch_up": "some"}, "catch_up='some': one of last, all, none"),
        ({"every": 60, "overlap": "no"}, "overlap='no': one of allow, skip, queue"),
        ({"every": 60, "name": "two words"}, "'two words'"),
        ({"every": 60, "name": ""}, "schedule ''"),
        ({"every": 60, "args": (1, 2)}, "too many positional arguments"),
        ({"every": 60, "delay": 5}, "delay=5 is no option of a schedule"),
        ({"every": 60, "queue": "a b"}, "'a b'"),
    ],
)
def test_what_is_wrong_is_refused_at_declaration_by_name(
    given: dict[str, Any], told: str, app_without_server: Apps
) -> None:
    app = app_without_server()
    task = app.task(name="report")(report)
    with pytest.raises(ConfigError, match=told):
        app.schedule(task, given.pop("cron", None), **given)
    assert app.schedules == {}


def test_a_function_that_must_be_given_something_is_refused(app_without_server: Apps) -> None:
    def needs(order: int) -> None: ...

    with pytest.raises(ConfigError, match="missing a required argument: 'order'"):
        app_without_server().cron(every=60, name="needs")(needs)


def test_arguments_that_cannot_be_sent_are_refused_now(app_without_server: Apps) -> None:
    app = app_without_server()
    with pytest.raises(EncodeError, match="object"):
        app.schedule("t", every=60, args=(object(),))
    with pytest.raises(Rejected, match="payload_limit"):
        app.schedule("t", every=60, args=("x" * 2_000_000,))


def test_two_of_one_name_are_refused_and_the_same_twice_is_one(app_without_server: Apps) -> None:
    app = app_without_server()
    app.schedule("t", every=60)
    app.schedule("t", every=60)
    with pytest.raises(ConfigError, match=r"two schedules are called 't'.*app\.schedule"):
        app.schedule("t", every=61)


def test_what_is_no_task_is_refused(app_without_server: Apps) -> None:
    thing: Any
    for thing in (report_without_task, 3, ""):
        with pytest.raises(ConfigError, match="give a task or its name"):
            app_without_server().schedule(thing, every=60)


def report_without_task() -> None:
    """No task."""


def test_a_definition_reads_as_it_was_written() -> None:
    made = schedule(args=[1, "x"], kwargs={"a": None}, timeout=5)
    assert read(made.definition) == made
    assert schedule(args=(1,)).definition == schedule(args=[1]).definition
    assert len({schedule().digest, schedule(args=[1]).digest, schedule(jitter=1.0).digest}) == 3
    for text in ("", "{}", "[]", '{"name": 5, "task": "t", "queue": "q"}'):
        with pytest.raises(ConfigError, match="cannot be read"):
            read(text)


def test_other_intervals_are_other_calendars() -> None:
    assert len({schedule(every=every).when for every in (1_000_000.0, 1_000_001.0, 1_000_000.000001)}) == 3


def test_every_counts_from_the_epoch_without_drift() -> None:
    every, at = Every(1.1), NOW
    for _ in range(10_000):
        at = every.after(at)
    assert at == pytest.approx(NOW + 11_000, abs=1.1)
    assert every.after(at - 0.000_001) == at
    assert Every(60).after(NOW) == NOW + 60
    assert Every(60).after(NOW - 0.5) == NOW


def test_jitter_is_the_same_whoever_computes_it_and_another_for_each_tick() -> None:
    one, other = schedule(jitter=30.0), schedule(jitter=30.0)
    shifts = [one.shift(NOW + n) for n in range(100)]
    assert shifts == [other.shift(NOW + n) for n in range(100)]
    assert all(0 <= shift < 30 for shift in shifts)
    assert max(shifts) - min(shifts) > 15
    assert schedule().shift(NOW) == 0


def test_ids_tell_schedules_and_ticks_apart() -> None:
    ids = {schedule(name=name).job_id(due) for name in ("s", "t") for due in (NOW, NOW + 0.001)}
    assert len(ids) == 4
    assert schedule().job_id(NOW) == schedule(args=[1]).job_id(NOW)


@pytest.mark.parametrize("late", [0.0, 0.2, 59.9])
@pytest.mark.parametrize("catch_up", ["last", "all", "none"])
def test_a_tick_that_is_on_time_is_made(catch_up: str, late: float) -> None:
    assert schedule(catch_up=catch_up).pending(NOW, NOW + late) == (NOW, NOW + 60)


def test_of_missed_ticks_the_last_all_or_none_is_made() -> None:
    now = NOW + 600 + GRACE / 2
    assert schedule(catch_up="last").pending(NOW, now) == (NOW + 600, NOW + 660)
    assert schedule(catch_up="none").pending(NOW, now) == (NOW + 600, NOW + 660)
    assert schedule(catch_up="all").pending(NOW, now) == (NOW, NOW + 60)
    hourly = schedule(every=3600.0, catch_up="none")
    assert hourly.pending(NOW, NOW + GRACE) == (NOW, NOW + 3600)
    assert hourly.pending(NOW, NOW + GRACE + 1) == (None, NOW + 3600)


@pytest.mark.parametrize("out", [30, 3_000, 80_000, 40 * 86_400, 800 * 86_400])
@pytest.mark.parametrize("cron", ["* * * * *", "0 * * * *", "0 3 * * *", "0 0 1 * *", "0 0 29 2 *"])
def test_the_last_one_is_found_however_long_nobody_looked(cron: str, out: int) -> None:
    found = schedule(every=0.0, cron=cron)
    due = found.after(NOW)
    now = due + out
    made, following = found.pending(due, now)
    assert made is not None
    assert due <= made <= now < following
    assert found.after(made) == following


def test_the_example_of_the_docs_declares_what_it_says() -> None:
    text = (Path(__file__).parents[2] / "docs" / "cron.md").read_text()
    example = text.split("```python\n")[1].split("```")[0]
    shop: dict[str, Any] = {"__name__": "shop"}
    exec(example, shop)  # noqa: S102
    app: Postroom = shop["app"]
    assert set(app.schedules) == {"shop.nightly_report", "shop.sync_stock", "weekly", "billing.tasks.close_month"}
    assert app.schedules["weekly"].args == ("sales",)
    assert app.schedules["shop.sync_stock"].overlap == "skip"


def test_who_declares_no_crontab_does_not_import_croniter() -> None:
    shop = "from postroom import Postroom\napp = Postroom('redis://x')\napp.schedule('t', {})\nimport sys\n"
    check = "print(sorted({'croniter', 'dateutil'} & set(sys.modules)))"
    for given, imported in (("every=60", "[]"), ("'@daily'", "['croniter', 'dateutil']")):
        run = [sys.executable, "-c", shop.format(given) + check]
        assert subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip() == imported
