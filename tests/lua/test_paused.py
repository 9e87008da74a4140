"""claim.lua where a queue is paused: nobody gets jobs from it."""

import pytest

from tests.lua.table import Refused, Row, Table, Then, ZSet, job
from tests.lua.test_claim import INF, JOINED, claim, ours, taken, taking

ROWS = (
    Row(
        "paused: nothing changes, neither the list nor what is held nor the lease",
        {
            "rq:queue:q": ["x", "a"],
            "rq:job:a": job("queued"),
            "rq:job:b": taken(),
            "rq:wip:q": ZSet({"b:8": INF}),
            "postroom:token": "8",
            "postroom:held:w1": {"@q": "1 8", "b:8": "q"},
            "postroom:leases": ZSet(w1=1002),
            "postroom:paused": {"q", "r"},
        },
        claim(request=2),
        Then(["PAUSED"]),
        again=Then(["PAUSED"]),
    ),
    Row("paused and empty", {"postroom:paused": {"q"}, **JOINED}, claim(), Then(["PAUSED"]), again=Then(["PAUSED"])),
    Row(
        "paused since the claim whose reply was lost: a replay gets its jobs all the same",
        {
            "rq:queue:q": ["b"],
            "rq:job:a": taken(),
            "rq:job:b": job("queued"),
            "rq:wip:q": ZSet({"a:8": INF}),
            "postroom:held:w1": {"@q": "1 8", "a:8": "q"},
            "postroom:paused": {"q"},
        },
        claim(request=1),
        Then(["8", ours("a", "started")]),
        again=Then(["8", ours("a", "started")]),
    ),
    Row(
        "another queue is paused",
        {"rq:queue:q": ["a"], "rq:job:a": job("queued"), **JOINED, "postroom:paused": {"r"}},
        claim(),
        Then(["8", ours("a")], taking("a", **{"rq:job:a": taken(), "postroom:paused": {"r"}})),
        again=Then(["8", ours("a", "started")]),
    ),
    Row(
        "a foreign key in the place of the paused queues: refused, nothing is written",
        {"rq:queue:q": ["a"], "rq:job:a": job("queued"), "postroom:paused": "oops", **JOINED},
        claim(),
        Then(Refused("WRONGTYPE")),
        again=Then(Refused("WRONGTYPE")),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_paused(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
