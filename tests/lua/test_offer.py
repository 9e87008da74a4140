"""offer.lua: declined jobs go back to their queue."""

from typing import Any

import pytest

from tests.lua.table import AT, Call, Refused, Row, Table, Then, ZSet, job


def offer(limit: int = 500, now: Any = 1000) -> Call:
    """One call."""
    return Call("offer", {"limit": limit, "rarely": 300, "now": now})


ROWS = (
    Row(
        "those that have stood for long; the others stay",
        {
            "rq:queue:q": ["x"],
            "postroom:declined:q": ZSet(a=700, b=700.5),
            "rq:job:a": job("scheduled", p_waits="W"),
            "rq:job:b": job("scheduled", p_waits="W"),
        },
        offer(),
        Then(
            1,
            {
                "rq:queue:q": ["x", "a"],
                "postroom:declined:q": ZSet(b=700.5),
                "rq:job:a": job("queued", p_waits="W", enqueued_at=AT),
                "rq:job:b": job("scheduled", p_waits="W"),
            },
        ),
        again=Then(0),
    ),
    Row(
        "new code has come: all that were declined before then, and none that was declined since",
        {
            "postroom:came:q": "990",
            "postroom:declined:q": ZSet(a=980, b=990, c=990.5),
            "rq:job:a": job("scheduled"),
            "rq:job:b": job("scheduled", enqueue_at_front=1),
            "rq:job:c": job("scheduled"),
        },
        offer(),
        Then(
            2,
            {
                "postroom:came:q": "990",
                "rq:queue:q": ["b", "a"],
                "postroom:declined:q": ZSet(c=990.5),
                "rq:job:a": job("queued", enqueued_at=AT),
                "rq:job:b": job("queued", enqueue_at_front=1, enqueued_at=AT),
                "rq:job:c": job("scheduled"),
            },
        ),
        again=Then(0),
    ),
    Row(
        "no more than asked for; the next call goes on",
        {"postroom:declined:q": ZSet(a=1, b=2), "rq:job:a": job("scheduled"), "rq:job:b": job("scheduled")},
        offer(limit=1),
        Then(
            1,
            {
                "rq:queue:q": ["a"],
                "postroom:declined:q": ZSet(b=2),
                "rq:job:a": job("queued", enqueued_at=AT),
                "rq:job:b": job("scheduled"),
            },
        ),
        again=Then(
            1,
            {
                "rq:queue:q": ["a", "b"],
                "rq:job:a": job("queued", enqueued_at=AT),
                "rq:job:b": job("queued", enqueued_at=AT),
            },
        ),
    ),
    Row(
        "by the server's clock",
        {"postroom:declined:q": ZSet(a=1000, b=9e9), "rq:job:a": job("scheduled")},
        offer(now=""),
        Then(
            1,
            {
                "rq:queue:q": ["a"],
                "postroom:declined:q": ZSet(b=9e9),
                "rq:job:a": job("queued", enqueued_at=AT),
            },
        ),
        again=Then(0),
    ),
    Row(
        "what is not there any more, or stands elsewhere, only leaves; what is foreign goes on",
        {
            "postroom:declined:q": ZSet(a=1, b=2, c=3),
            "rq:job:b": job("canceled"),
            "rq:job:c": "oops",
        },
        offer(),
        Then(3, {"rq:queue:q": ["c"], "rq:job:b": job("canceled"), "rq:job:c": "oops"}),
        again=Then(0),
    ),
    *(
        Row(
            f"a foreign key in the place of {key}: refused, and nothing is moved",
            {"postroom:declined:q": ZSet(a=1), "rq:job:a": job("scheduled"), key: value},
            offer(),
            Then(Refused("WRONGTYPE")),
            again=Then(Refused("WRONGTYPE")),
        )
        for key, value in (("rq:queue:q", "oops"), ("postroom:declined:q", "oops"), ("postroom:came:q", {"oops": "1"}))
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_offer(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
