"""renew.lua: a worker process lives on."""

from typing import Any

import pytest

from tests.lua.table import Call, FromNow, Row, Table, Then, ZSet, job

CLAIM: dict[str, Any] = {"worker_name": "w1", "p_token": 7}


def renew(*started: Any, now: Any = 1000) -> Call:
    """One call; the lease is 12 s. `started`: id, token, started_at, …"""
    return Call("renew", {"lease": 12, "now": now}, started)


ROWS = (
    Row(
        "its lease is known: 1, and it is set anew",
        {"postroom:leases": ZSet(w1=1001, w2=1002)},
        renew(),
        Then(1, {"postroom:leases": ZSet(w1=1012, w2=1002)}),
        again=Then(1),
    ),
    Row(
        "its lease has run out, but nobody has recovered its jobs: they are still its own",
        {"postroom:leases": ZSet(w1=900)},
        renew(),
        Then(1, {"postroom:leases": ZSet(w1=1012)}),
        again=Then(1),
    ),
    Row(
        "its lease is gone, for it was recovered or has resigned: 0, and none begins",
        {"postroom:leases": ZSet(w2=1002)},
        renew(),
        Then(0),
        again=Then(0),
    ),
    Row(
        "by the server's clock",
        {"postroom:leases": ZSet(w1=1001)},
        renew(now=""),
        Then(1, {"postroom:leases": ZSet(w1=FromNow(12))}),
        again=Then(1, {"postroom:leases": ZSet(w1=FromNow(12))}),
    ),
    Row(
        "its long jobs have started, those under its token",
        {
            "postroom:leases": ZSet(w1=1001),
            "rq:job:a": job("started", **CLAIM),
            "rq:job:b": job("started", worker_name="w2", p_token=8),
            "rq:job:c": job("queued"),
            "rq:job:d": "oops",
            "rq:job:f": job("started", **CLAIM),
        },
        renew("a", 7, "S1", "b", 7, "S2", "c", 7, "S3", "d", 7, "S4", "e", 7, "S5", "f", 7, "S6"),
        Then(
            1,
            {
                "postroom:leases": ZSet(w1=1012),
                "rq:job:a": job("started", **CLAIM, started_at="S1"),
                "rq:job:b": job("started", worker_name="w2", p_token=8),
                "rq:job:c": job("queued"),
                "rq:job:d": "oops",
                "rq:job:f": job("started", **CLAIM, started_at="S6"),
            },
        ),
        again=Then(1),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_renew(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
