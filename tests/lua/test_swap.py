"""swap.lua: a field of a hash is set if it still says what it did when it was looked at."""

import pytest

from tests.lua.table import Call, Refused, Row, Table, Then

RECORD, NOTICES = "postroom:alerts", "postroom:notices"


def swap(before: str, after: str, *told: str) -> Call:
    """One call."""
    return Call("swap", {"field": "r", "before": before, "after": after}, told)


ROWS = (
    Row(
        "it says what it did: set, with what is to be told",
        {RECORD: {"r": "ok", "other": "ok"}, NOTICES: {"n0": "N0"}},
        swap("ok", "firing", "n1", "N1", "n2", "N2"),
        Then("OK", {RECORD: {"r": "firing", "other": "ok"}, NOTICES: {"n0": "N0", "n1": "N1", "n2": "N2"}}),
        again=Then("ALREADY"),
    ),
    Row(
        "there was none",
        {},
        swap("", "ok"),
        Then("OK", {RECORD: {"r": "ok"}}),
        again=Then("ALREADY"),
    ),
    Row(
        "another was faster: nothing is set, nothing is told",
        {RECORD: {"r": "firing"}},
        swap("ok", "firing again", "n1", "N1"),
        Then("STALE"),
        again=Then("STALE"),
    ),
    Row(
        "it was taken away meanwhile: it does not come back",
        {RECORD: {"other": "ok"}},
        swap("ok", "firing", "n1", "N1"),
        Then("STALE"),
        again=Then("STALE"),
    ),
    Row(
        "a replay, when what it told of was delivered: it is not told again",
        {RECORD: {"r": "firing"}},
        swap("ok", "firing", "n1", "N1"),
        Then("ALREADY"),
        again=Then("ALREADY"),
    ),
    Row(
        "what is to be told cannot be entered: nothing has happened",
        {RECORD: {"r": "ok"}, NOTICES: "foreign"},
        swap("ok", "firing", "n1", "N1"),
        Then(Refused("WRONGTYPE")),
        again=Then(Refused("WRONGTYPE")),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_swap(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
