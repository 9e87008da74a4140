"""promote.lua: scheduled jobs that are due go to their queue."""

from math import inf
from typing import Any

import pytest

from tests.lua.table import AT, Call, Refused, Row, Table, Then, ZSet, job, rq_job


def promote(limit: int = 500, now: Any = 1000) -> Call:
    """One call."""
    return Call("promote", {"limit": limit, "now": now})


ROWS = (
    Row(
        "those that are due go to the tail, first due first; the others wait",
        {
            "rq:queue:q": ["x"],
            "rq:scheduled:q": ZSet(b=999, a=1000, c=1000.5),
            "rq:job:a": job("scheduled"),
            "rq:job:b": rq_job("scheduled"),
            "rq:job:c": job("scheduled"),
        },
        promote(),
        Then(
            [2, "0.5"],
            {
                "rq:queue:q": ["x", "b", "a"],
                "rq:scheduled:q": ZSet(c=1000.5),
                "rq:job:a": job("queued", enqueued_at=AT),
                "rq:job:b": rq_job("queued", enqueued_at=AT),
                "rq:job:c": job("scheduled"),
            },
        ),
        again=Then([0, "0.5"]),
    ),
    Row(
        "no more than asked for; the next call goes on",
        {
            "rq:scheduled:q": ZSet(a=998, b=999),
            "rq:job:a": job("scheduled"),
            "rq:job:b": job("scheduled"),
        },
        promote(limit=1),
        Then(
            [1, "-1"],
            {
                "rq:queue:q": ["a"],
                "rq:scheduled:q": ZSet(b=999),
                "rq:job:a": job("queued", enqueued_at=AT),
                "rq:job:b": job("scheduled"),
            },
        ),
        again=Then(
            [1, ""],
            {
                "rq:queue:q": ["a", "b"],
                "rq:job:a": job("queued", enqueued_at=AT),
                "rq:job:b": job("queued", enqueued_at=AT),
            },
        ),
    ),
    Row(
        "enqueue_at_front: to the head",
        {"rq:queue:q": ["x"], "rq:scheduled:q": ZSet(a=999), "rq:job:a": job("scheduled", enqueue_at_front=1)},
        promote(),
        Then([1, ""], {"rq:queue:q": ["a", "x"], "rq:job:a": job("queued", enqueue_at_front=1, enqueued_at=AT)}),
        again=Then([0, ""]),
    ),
    Row(
        "due by the server's clock",
        {"rq:scheduled:q": ZSet(a=1000, b=inf), "rq:job:a": job("scheduled"), "rq:job:b": job("scheduled")},
        promote(now=""),
        Then(
            [1, "inf"],
            {
                "rq:queue:q": ["a"],
                "rq:scheduled:q": ZSet(b=inf),
                "rq:job:a": job("queued", enqueued_at=AT),
                "rq:job:b": job("scheduled"),
            },
        ),
        again=Then([0, "inf"]),
    ),
    Row(
        "no longer scheduled, or gone: its entry goes, and nothing else",
        {
            "rq:scheduled:q": ZSet(a=997, b=998, c=999),
            "rq:job:a": job("canceled"),
            "rq:job:b": job("queued"),
            "rq:queue:q": ["b"],
        },
        promote(),
        Then([3, ""], {"rq:job:a": job("canceled"), "rq:job:b": job("queued"), "rq:queue:q": ["b"]}),
        again=Then([0, ""]),
    ),
    Row(
        "what is no hash goes on, too: the claim makes a dead letter of it",
        {"rq:scheduled:q": ZSet(a=999), "rq:job:a": "oops"},
        promote(),
        Then([1, ""], {"rq:queue:q": ["a"], "rq:job:a": "oops"}),
        again=Then([0, ""]),
    ),
    Row("nothing is scheduled", {"rq:queue:q": ["x"]}, promote(), Then([0, ""]), again=Then([0, ""])),
    Row(
        "a foreign key in the place of the list: refused, and the job still waits",
        {"rq:queue:q": "oops", "rq:scheduled:q": ZSet(a=999), "rq:job:a": job("scheduled")},
        promote(),
        Then(Refused("WRONGTYPE")),
        again=Then(Refused("WRONGTYPE")),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_promote(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
