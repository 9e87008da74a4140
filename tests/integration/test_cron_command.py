"""`postroom cron`: what people see of schedules and do to them."""

import json
import time
from datetime import datetime
from typing import Any

import pytest

from postroom import Postroom
from postroom.scheduler.cron import Cron
from postroom.scheduler.declare import Declare
from tests.integration.programs import Command, burst

ADD = ("cron", "add", "nightly", "report", "--cron", "30 2 * * *", "--tz", "Europe/Paris")


@pytest.fixture
def shop(app: Postroom) -> Postroom:
    """An app with a task on a schedule, which stands on the server."""

    @app.cron("0 3 * * *", tz="Europe/Paris", name="report", queue="reports", jitter=30)
    def report(kind: str = "short") -> str:
        return kind

    Declare().do(app)
    return app


def test_nothing_there_is_said(command: Command, app: Postroom) -> None:
    said = command("cron", "list")
    assert (said.code, "There is no schedule" in said.out) == (0, True)
    assert command("cron", "list", "--json").out == ""


def test_list_shows_each_with_its_state(shop: Postroom, command: Command, client: Any) -> None:
    assert command(*ADD).code == 0
    command("cron", "pause", "nightly")
    said = command("cron", "list", "--json")
    shown = {line["name"]: line for line in said.lines}
    assert set(shown) == {"report", "nightly"}
    assert (shown["report"]["state"], shown["report"]["added"]) == ("ticks", False)
    assert datetime.fromisoformat(shown["report"]["next"]).timestamp() > time.time()
    assert (shown["nightly"]["state"], shown["nightly"]["next"], shown["nightly"]["added"]) == ("paused", None, True)
    assert "args" not in shown["report"]
    table = command("cron", "list").out
    for text in ("report", "0 3 * * * Europe/Paris", "reports", "ticks", "paused", "never"):
        assert text in table
    client.hdel("postroom:schedule:report", f"declared:{shop.schedules['report'].digest}")
    assert "undeclared" in command("cron", "list").out


def test_next_shows_ten_in_the_zone_of_the_schedule(shop: Postroom, command: Command) -> None:
    said = command("cron", "next", "report")
    assert said.code == 0
    lines = said.out.splitlines()
    assert len(lines) == 10
    assert all(" 03:00:" in line and "CE" in line for line in lines)  # the jitter is below 30 s
    schedule = shop.schedules["report"]
    for line in command("cron", "next", "report", "--json").lines:
        tick, run_at = (datetime.fromisoformat(line[name]).timestamp() for name in ("tick", "run_at"))
        assert run_at - tick == pytest.approx(schedule.shift(tick), abs=0.001)
        assert line["job"] == schedule.job_id(tick)


def test_pause_and_resume(shop: Postroom, command: Command, client: Any) -> None:
    assert command("cron", "pause", "report").out == "schedule report: paused\n"
    assert command("cron", "pause", "report").out == "schedule report: paused already\n"
    Declare().do(shop)  # what the code says again does not resume it
    assert client.zscore("postroom:ticks", "report") == float("inf")
    assert "is paused: none of these comes" in command("cron", "next", "report").err
    said = command("cron", "resume", "report", "--json")
    assert said.json == {"schedule": "report", "done": "resumed", "changed": True}
    assert command("cron", "resume", "report", "--json").json["changed"] is False
    assert client.zscore("postroom:ticks", "report") > time.time()


def test_run_enqueues_it_now_and_leaves_its_ticks(shop: Postroom, command: Command, client: Any) -> None:
    due = client.zscore("postroom:ticks", "report")
    said = command("cron", "run", "report", "--json")
    burst(shop, "reports")
    assert shop.job(said.json["job"]).result(timeout=1) == "short"
    assert client.zscore("postroom:ticks", "report") == due


def test_add_ticks_without_code_and_is_removed(shop: Postroom, command: Command, client: Any) -> None:
    options = ("--every", "15m", "-q", "reports", "--kwargs", '{"kind": "long"}')
    assert command("cron", "add", "quarter", "report", *options).out == "schedule quarter: added\n"
    assert command("cron", "add", "quarter", "report", *options).out == "schedule quarter: added already\n"
    taken = command("cron", "add", "quarter", "report", "--every", "20m")
    assert (taken.code, "there is a schedule 'quarter'" in taken.err) == (1, True)
    client.zadd("postroom:ticks", {"quarter": 900})
    Cron().do(shop)
    burst(shop, "reports")
    job_id = client.hget("postroom:schedule:quarter", "job").decode()
    assert shop.job(job_id).result(timeout=1) == "long"

    assert command("cron", "remove", "quarter").code == 0
    assert client.zscore("postroom:ticks", "quarter") is None
    assert not client.exists("postroom:schedule:quarter")


def test_what_living_code_declares_is_not_removed(shop: Postroom, command: Command, client: Any) -> None:
    said = command("cron", "remove", "report")
    assert (said.code, "would declare it again: pause it" in said.err) == (1, True)
    assert client.exists("postroom:schedule:report")
    client.hdel("postroom:schedule:report", f"declared:{shop.schedules['report'].digest}")
    assert command("cron", "remove", "report").code == 0
    assert not client.exists("postroom:schedule:report")


@pytest.mark.parametrize("verb", ["next", "pause", "resume", "remove", "run"])
def test_a_name_that_is_not_there(shop: Postroom, command: Command, verb: str) -> None:
    said = command("cron", verb, "reprot")
    assert (said.code, said.err) == (1, "postroom: there is no schedule 'reprot'; there are: report\n")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "give a crontab expression or every="),
        (("--cron", "0 0 31 2 *"), "'0 0 31 2 *': such a day never comes"),
        (("--cron", "@daily", "--tz", "Mars/Base"), "'Mars/Base'"),
        (("--every", "0s"), "every=0.0"),
        (("--every", "soon"), "'soon' is no duration"),
        (("--every", "1m", "--args", "{}"), "give a JSON list"),
        (("--every", "1m", "--kwargs", "{"), "is no JSON"),
    ],
)
def test_what_is_wrong_adds_nothing(
    app: Postroom, command: Command, client: Any, options: tuple[str, ...], told: str
) -> None:
    said = command("cron", "add", "x", "report", *options)
    assert (said.code, told in said.err) == (2, True), said.err
    assert client.keys("postroom:*") == []


def test_json_is_one_document_a_line(shop: Postroom, command: Command) -> None:
    said = command("cron", "list", "--json")
    assert [json.loads(line)["name"] for line in said.out.splitlines()] == ["report"]
