"""alter.lua: what people do to a schedule."""

from typing import Any

import pytest

from tests.lua.table import Call, Refused, Row, Table, Then, ZSet

SCHEDULE, TICKS = "postroom:schedule:s", "postroom:ticks"
INF = float("inf")


def alter(verb: str, digest: str = "d") -> Call:
    """One call: the next tick would be at 1500.5."""
    about = {"digest": digest, "definition": "D", "calendar": "daily"}
    return Call("alter", {**about, "verb": verb, "following": "1500.5"})


def stands(**fields: Any) -> dict[str, str]:
    """The hash of a schedule."""
    return {"digest": "d", "definition": "D", "calendar": "daily"} | {k: str(v) for k, v in fields.items()}


ROWS = (
    Row(
        "add: it stands, marked as nobody's code",
        {},
        alter("add"),
        Then("OK", {SCHEDULE: stands(added=1), TICKS: ZSet(s=1500.5)}),
        again=Then("ALREADY"),
    ),
    Row(
        "add: another of this name was added",
        {SCHEDULE: stands(added=1), TICKS: ZSet(s=1200)},
        alter("add", "e"),
        Then("TAKEN"),
        again=Then("TAKEN"),
    ),
    Row(
        "add: code has declared it",
        {SCHEDULE: stands(), TICKS: ZSet(s=1200)},
        alter("add"),
        Then("TAKEN"),
        again=Then("TAKEN"),
    ),
    Row(
        "pause: it is never due",
        {SCHEDULE: stands(), TICKS: ZSet(s=1200)},
        alter("pause"),
        Then("OK", {SCHEDULE: stands(paused=1), TICKS: ZSet(s=INF)}),
        again=Then("ALREADY"),
    ),
    Row(
        "resume: due from now on, with nothing of what it missed",
        {SCHEDULE: stands(paused=1), TICKS: ZSet(s=INF)},
        alter("resume"),
        Then("OK", {SCHEDULE: stands(), TICKS: ZSet(s=1500.5)}),
        again=Then("ALREADY"),
    ),
    Row(
        "resume of one that ticks: its next tick stays",
        {SCHEDULE: stands(), TICKS: ZSet(s=1200)},
        alter("resume"),
        Then("ALREADY"),
        again=Then("ALREADY"),
    ),
    Row(
        "remove: nothing is left of it, and the others stay",
        {SCHEDULE: stands(), TICKS: ZSet(s=1200, t=7)},
        alter("remove"),
        Then("OK", {TICKS: ZSet(t=7)}),
        again=Then("OK"),
    ),
    Row("pause: there is none", {TICKS: ZSet(t=7)}, alter("pause"), Then("MISSING"), again=Then("MISSING")),
    Row("resume: there is none", {TICKS: ZSet(t=7)}, alter("resume"), Then("MISSING"), again=Then("MISSING")),
    Row(
        "a foreign key in the place of the timetable: refused, with nothing written",
        {TICKS: "oops"},
        alter("add"),
        Then(Refused("WRONGTYPE")),
        again=Then(Refused("WRONGTYPE")),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_alter(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
