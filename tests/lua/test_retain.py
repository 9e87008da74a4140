"""retain.lua: what is past its time is forgotten."""

from typing import Any

import pytest

from tests.lua.table import Call, Row, Stream, Table, Then, ZSet, job, rq_job

INF = float("inf")


def retain(limit: int = 500, now: Any = 1000, keep: int = 100) -> Call:
    """One call; canceled jobs are kept for 100 s, and so many dead letters."""
    return Call("retain", {"canceled_ttl": 100, "keep_dead": keep, "limit": limit, "now": now})


ROWS = (
    Row(
        "entries of finished jobs and of dead letters whose time is over; those kept for ever stay",
        {
            "rq:finished:q": ZSet(a=999, b=1000, c=1000.5, d=INF),
            "rq:failed:q": ZSet(e=999, f=1000, g=1000.5, h=-1),
            "rq:finished:r": ZSet(a=999),
            "rq:job:c": job("finished"),
        },
        retain(),
        Then(
            0,
            {
                "rq:finished:q": ZSet(c=1000.5, d=INF),
                "rq:failed:q": ZSet(g=1000.5, h=-1),
                "rq:finished:r": ZSet(a=999),
                "rq:job:c": job("finished"),
            },
        ),
        again=Then(0),
    ),
    Row(
        "canceled jobs after their time, with what RQ keeps beside the hash",
        {
            "rq:canceled:q": ZSet(a=900, b=900.5),
            "rq:job:a": rq_job("canceled"),
            "rq:job:a:dependents": {"c"},
            "rq:job::a:dependencies": {"z"},
            "rq:results:a": Stream([{"type": "2"}]),
            "rq:job:b": job("canceled"),
        },
        retain(),
        Then(1, {"rq:canceled:q": ZSet(b=900.5), "rq:job:b": job("canceled")}),
        again=Then(0),
    ),
    Row(
        "no longer canceled, gone, or no hash: only the entry",
        {"rq:canceled:q": ZSet(a=1, b=2, c=3), "rq:job:a": job("queued"), "rq:job:c": "oops"},
        retain(),
        Then(3, {"rq:job:a": job("queued"), "rq:job:c": "oops"}),
        again=Then(0),
    ),
    Row(
        "no more than asked for; the next call goes on",
        {"rq:canceled:q": ZSet(a=1, b=2), "rq:job:a": job("canceled"), "rq:job:b": job("canceled")},
        retain(limit=1),
        Then(1, {"rq:canceled:q": ZSet(b=2), "rq:job:b": job("canceled")}),
        again=Then(1, {}),
    ),
    Row(
        "by the server's clock",
        {
            "rq:finished:q": ZSet(a=1000, b=9e9),
            "rq:failed:q": ZSet(c=1000, d=9e9),
            "rq:canceled:q": ZSet(e=1000, f=9e9),
        },
        retain(now=""),
        Then(1, {"rq:finished:q": ZSet(b=9e9), "rq:failed:q": ZSet(d=9e9), "rq:canceled:q": ZSet(f=9e9)}),
        again=Then(0),
    ),
    Row(
        "dead letters beyond their number, those first whose time is over first; those kept for ever do not count",
        {
            "rq:failed:q": ZSet(a=2000, b=2001, c=2002, d=2003, e=-1),
            "rq:job:a": rq_job("failed"),
            "rq:job:a:dependents": {"c"},
            "rq:results:a": Stream([{"type": "2"}]),
            "rq:job:b": job("queued"),
            "rq:job:c": job("failed"),
            "rq:job:d": job("failed"),
            "rq:job:e": job("failed"),
        },
        retain(keep=2),
        Then(
            2,
            {
                "rq:failed:q": ZSet(c=2002, d=2003, e=-1),
                "rq:job:b": job("queued"),
                "rq:job:c": job("failed"),
                "rq:job:d": job("failed"),
                "rq:job:e": job("failed"),
            },
        ),
        again=Then(0),
    ),
    Row(
        "no more dead letters than asked for; the next call goes on",
        {"rq:failed:q": ZSet(a=2000, b=2001), "rq:job:a": "oops", "rq:job:b": job("failed")},
        retain(limit=1, keep=0),
        Then(1, {"rq:failed:q": ZSet(b=2001), "rq:job:a": "oops", "rq:job:b": job("failed")}),
        again=Then(1, {"rq:job:a": "oops"}),
    ),
    Row("nothing is there", {}, retain(), Then(0), again=Then(0)),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_retain(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
