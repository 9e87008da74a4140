"""join.lua: a worker process is there, and may claim."""

from typing import Any

import pytest

from tests.lua.table import Call, FromNow, Refused, Row, Table, Then, ZSet, job
from tests.lua.test_claim import JOINED, claim, ours, taken, taking


def join(*claims: Any, now: Any = 1000) -> Call:
    """One call of w1; the lease is 12 s. `claims`: queue, number of the last claim there, …"""
    return Call("join", {"lease": 12, "now": now}, claims)


ROWS = (
    Row(
        "a new process: its lease begins, and it has claimed nothing",
        {"postroom:leases": ZSet(w2=1002), "postroom:held:w2": {"@q": "4 7"}},
        join("q", 0, "r", 0),
        Then(
            None,
            {
                "postroom:leases": ZSet(w1=1012, w2=1002),
                "postroom:held:w1": {"@q": "0 0", "@r": "0 0"},
                "postroom:held:w2": {"@q": "4 7"},
            },
        ),
        again=Then(None),
    ),
    Row(
        "a process that was recovered: what it sent before comes too late to take anything",
        {},
        join("q", 5),
        Then(None, {"postroom:leases": ZSet(w1=1012), "postroom:held:w1": {"@q": "5 0"}}),
        again=Then(None),
    ),
    Row(
        "it comes late, when there is a claim: that one can still be replayed, and what it brought is held",
        {"postroom:leases": ZSet(w1=1001), "postroom:held:w1": {"@q": "6 8", "a:8": "q"}},
        join("q", 5, "r", 1),
        Then(
            None,
            {"postroom:leases": ZSet(w1=1012), "postroom:held:w1": {"@q": "6 8", "a:8": "q", "@r": "1 0"}},
        ),
        again=Then(None),
    ),
    Row(
        "by the server's clock",
        {},
        join("q", 0, now=""),
        Then(None, {"postroom:leases": ZSet(w1=FromNow(12)), "postroom:held:w1": {"@q": "0 0"}}),
        again=Then(None, {"postroom:leases": ZSet(w1=FromNow(12)), "postroom:held:w1": {"@q": "0 0"}}),
    ),
    Row(
        "a foreign key in the place of the leases: refused, and it cannot claim",
        {"postroom:leases": "oops"},
        join("q", 0),
        Then(Refused("WRONGTYPE")),
        again=Then(Refused("WRONGTYPE")),
    ),
    # What a claim gets without it ------------------------------------------------------------------------------------
    Row(
        "a claim of a process that has not joined, or is gone: nothing, for nobody would hear of it",
        {"rq:queue:q": ["a"], "rq:job:a": job("queued"), "postroom:held:w2": {"@q": "4 7"}},
        claim(),
        Then(["GONE"]),
        again=Then(["GONE"]),
    ),
    Row(
        "a claim of a process that has joined with other queues",
        {"rq:queue:q": ["a"], "rq:job:a": job("queued"), "postroom:held:w1": {"@r": "4 7"}},
        claim(),
        Then(["GONE"]),
        again=Then(["GONE"]),
    ),
    Row(
        "a claim of a process that has joined again since: its jobs are with it, so nothing",
        {"rq:queue:q": ["a"], "rq:job:a": job("queued"), "postroom:held:w1": {"@q": "1 0"}},
        claim(request=1),
        Then(["0"]),
        again=Then(["0"]),
    ),
    Row(
        "a claim of a process whose lease has ended, and nobody has recovered its jobs: as any other",
        {
            "rq:queue:q": ["a"],
            "rq:job:a": job("queued"),
            "postroom:leases": ZSet(w1=900),
            **JOINED,
        },
        claim(),
        Then(["8", ours("a")], {"rq:job:a": taken(), **taking("a")}),
        again=Then(["8", ours("a", "started")]),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_join(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
