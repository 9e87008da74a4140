"""declare.lua: code declares a schedule; of two versions side by side the one counts that came last."""

from typing import Any

import pytest

from tests.lua.table import Call, FromNow, Refused, Row, Table, Then, ZSet

SCHEDULE, TICKS = "postroom:schedule:s", "postroom:ticks"


def declare(version: str = "new", calendar: str = "daily", now: Any = 1000) -> Call:
    """One call: its first tick would be at 1500."""
    about = {"digest": version, "definition": f"the {version}", "calendar": calendar}
    return Call("declare", {**about, "following": "1500.5", "lives": 60, "now": now})


def stands(version: str, *, calendar: str = "daily", paused: Any = None, **declared: Any) -> dict[str, Any]:
    """The hash of a schedule, by when each version was declared."""
    found: dict[str, Any] = {"digest": version, "definition": f"the {version}", "calendar": calendar}
    found |= {} if paused is None else {"paused": str(paused)}
    return found | {f"declared:{name}": at if isinstance(at, FromNow) else str(at) for name, at in declared.items()}


ROWS = (
    Row(
        "nobody has declared it: it stands, and its first tick is set",
        {TICKS: ZSet(t=7)},
        declare(),
        Then("OK", {SCHEDULE: stands("new", new=1000), TICKS: ZSet(s=1500.5, t=7)}),
        again=Then("ALREADY"),
    ),
    Row(
        "it stands: only when it was declared last is new, its job and its tick stay",
        {SCHEDULE: stands("new", new=990) | {"job": "j", "last": "900"}, TICKS: ZSet(s=1200)},
        declare(),
        Then("ALREADY", {SCHEDULE: stands("new", new=1000) | {"job": "j", "last": "900"}, TICKS: ZSet(s=1200)}),
        again=Then("ALREADY"),
    ),
    Row(
        "a new version beside an old one: the new counts; its calendar is the same, and so the tick stays that is due",
        {SCHEDULE: stands("old", old=999), TICKS: ZSet(s=800)},
        declare(),
        Then("OK", {SCHEDULE: stands("new", old=999, new=1000), TICKS: ZSet(s=800)}),
        again=Then("ALREADY"),
    ),
    Row(
        "the old version says again what it has said: the new one counts all the same",
        {SCHEDULE: stands("new", old=990, new=999), TICKS: ZSet(s=1200)},
        declare("old"),
        Then("STALE", {SCHEDULE: stands("new", old=1000, new=999), TICKS: ZSet(s=1200)}),
        again=Then("STALE"),
    ),
    Row(
        "the version that counts is in no living process any more: the one that is counts again",
        {SCHEDULE: stands("new", old=990, new=940), TICKS: ZSet(s=1200)},
        declare("old"),
        Then("OK", {SCHEDULE: stands("old", old=1000), TICKS: ZSet(s=1200)}),
        again=Then("ALREADY"),
    ),
    Row(
        "a version that was gone for long comes as new: a deploy of yesterday's code",
        {SCHEDULE: stands("new", old=900, new=999), TICKS: ZSet(s=1200)},
        declare("old"),
        Then("OK", {SCHEDULE: stands("old", old=1000, new=999), TICKS: ZSet(s=1200)}),
        again=Then("ALREADY"),
    ),
    Row(
        "another calendar: the next tick is its first",
        {SCHEDULE: stands("old", old=999), TICKS: ZSet(s=800)},
        declare(calendar="hourly"),
        Then("OK", {SCHEDULE: stands("new", calendar="hourly", old=999, new=1000), TICKS: ZSet(s=1500.5)}),
        again=Then("ALREADY"),
    ),
    Row(
        "another calendar of one that is paused: it stays so",
        {SCHEDULE: stands("old", paused=1, old=999), TICKS: ZSet(s=float("inf"))},
        declare(calendar="hourly"),
        Then(
            "OK",
            {SCHEDULE: stands("new", calendar="hourly", paused=1, old=999, new=1000), TICKS: ZSet(s=float("inf"))},
        ),
        again=Then("ALREADY"),
    ),
    Row(
        "added by hand, the same: it is the code's from now on",
        {SCHEDULE: stands("new") | {"added": "1"}, TICKS: ZSet(s=1200)},
        declare(),
        Then("OK", {SCHEDULE: stands("new", new=1000), TICKS: ZSet(s=1200)}),
        again=Then("ALREADY"),
    ),
    Row(
        "by the server's clock",
        {SCHEDULE: stands("new", new=FromNow(-30), old=FromNow(-70)), TICKS: ZSet(s=1200)},
        declare(now=""),
        Then("ALREADY", {SCHEDULE: stands("new", new=FromNow(0)), TICKS: ZSet(s=1200)}),
        again=Then("ALREADY", {SCHEDULE: stands("new", new=FromNow(0)), TICKS: ZSet(s=1200)}),
    ),
    Row(
        "a foreign key in the place of the timetable: refused, with nothing written",
        {TICKS: "oops"},
        declare(),
        Then(Refused("WRONGTYPE")),
        again=Then(Refused("WRONGTYPE")),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_declare(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
