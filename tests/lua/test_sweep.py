"""sweep.lua: which worker processes' leases have ended."""

from typing import Any

import pytest

from tests.lua.table import Call, FromNow, Row, Table, Then, ZSet


def sweep(now: Any = 1000) -> Call:
    """One call; a lease is 12 s, so that a look every 6 s is enough."""
    return Call("sweep", {"lease": 12, "now": now})


ROWS = (
    Row(
        "looked at a moment ago: those that have ended are named, and nobody's lease is touched",
        {"postroom:swept": "999", "postroom:leases": ZSet(w1=998, w2=1000, w3=1000.5)},
        sweep(),
        Then(["w1", "w2"], {"postroom:swept": "1000", "postroom:leases": ZSet(w1=998, w2=1000, w3=1000.5)}),
        again=Then(["w1", "w2"]),
    ),
    Row(
        "looked at half a lease ago: that is still often enough",
        {"postroom:swept": "994", "postroom:leases": ZSet(w1=998)},
        sweep(),
        Then(["w1"], {"postroom:swept": "1000", "postroom:leases": ZSet(w1=998)}),
        again=Then(["w1"]),
    ),
    Row(
        "nobody looked for longer: nobody is judged, every lease begins anew, none becomes shorter",
        {"postroom:swept": "993.5", "postroom:leases": ZSet(w1=900, w2=1005, w3=1020)},
        sweep(),
        Then([], {"postroom:swept": "1000", "postroom:leases": ZSet(w1=1012, w2=1012, w3=1020)}),
        again=Then([]),
    ),
    Row(
        "a short lease: three seconds without a look are none that was missed",
        {"postroom:swept": "997", "postroom:leases": ZSet(w1=998)},
        Call("sweep", {"lease": 1, "now": 1000}),
        Then(["w1"], {"postroom:swept": "1000", "postroom:leases": ZSet(w1=998)}),
        again=Then(["w1"]),
    ),
    Row(
        "the first look ever is one after a long while",
        {"postroom:leases": ZSet(w1=900)},
        sweep(),
        Then([], {"postroom:swept": "1000", "postroom:leases": ZSet(w1=1012)}),
        again=Then([]),
    ),
    Row(
        "by the server's clock",
        {"postroom:leases": ZSet(w1=900, w2=9e9)},
        sweep(now=""),
        Then([], {"postroom:swept": FromNow(0), "postroom:leases": ZSet(w1=FromNow(12), w2=9e9)}),
        again=Then([], {"postroom:swept": FromNow(0), "postroom:leases": ZSet(w1=FromNow(12), w2=9e9)}),
    ),
    Row("nobody is there", {}, sweep(), Then([], {"postroom:swept": "1000"}), again=Then([])),
    Row(
        "a hundred at a time",
        {"postroom:swept": "999", "postroom:leases": ZSet({f"w{i:03}": i for i in range(101)})},
        sweep(),
        Then(
            [f"w{i:03}" for i in range(100)],
            {"postroom:swept": "1000", "postroom:leases": ZSet({f"w{i:03}": i for i in range(101)})},
        ),
        again=Then([f"w{i:03}" for i in range(100)]),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_sweep(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
