"""release.lua: what was claimed and not started goes back."""

from typing import Any

import pytest

from tests.lua.fence import fence_rows
from tests.lua.table import Call, Refused, Row, Table, Then, ZSet, job

INF = float("inf")
CLAIM: dict[str, Any] = {"worker_name": "w1", "p_token": 7}


def release(*ids: str) -> Call:
    """One call, of claims under token 7."""
    return Call("release", {}, [part for job_id in ids for part in (job_id, 7)])


ROWS = (
    Row(
        "to the head of the list, in the old order; it is nobody's attempt",
        {
            "rq:queue:q": ["x"],
            "rq:job:a": job("started", **CLAIM, enqueued_at="Q", p_attempt=1),
            "rq:job:b": job("started", **CLAIM, enqueued_at="Q"),
            "rq:wip:q": ZSet({"a:7": INF, "b:7": INF, "c:8": INF}),
            "postroom:held:w1": {"@q": "1 7", "a:7": "q", "b:7": "q", "c:8": "q"},
        },
        release("a", "b"),
        Then(
            ["OK", "OK"],
            {
                "rq:queue:q": ["a", "b", "x"],
                "rq:job:a": job("queued", **CLAIM, enqueued_at="Q", p_attempt=1),
                "rq:job:b": job("queued", **CLAIM, enqueued_at="Q"),
                "rq:wip:q": ZSet({"c:8": INF}),
                "postroom:held:w1": {"@q": "1 7", "c:8": "q"},
            },
        ),
        again=Then(["ALREADY", "ALREADY"]),
    ),
    Row(
        "each has its own answer",
        {
            "rq:job:a": job("started", **CLAIM),
            "rq:job:b": job("canceled", **CLAIM),
            "rq:job:c": job("started", **CLAIM),
            "rq:wip:q": ZSet({"a:7": INF, "b:7": INF, "c:7": INF}),
            "postroom:held:w1": {"a:7": "q", "b:7": "q", "c:7": "q"},
        },
        release("a", "b", "c"),
        Then(
            ["OK", "STALE", "OK"],
            {
                "rq:queue:q": ["a", "c"],
                "rq:job:a": job("queued", **CLAIM),
                "rq:job:b": job("canceled", **CLAIM),
                "rq:job:c": job("queued", **CLAIM),
            },
        ),
        again=Then(["ALREADY", "STALE", "ALREADY"]),
    ),
    Row(
        "a foreign key in the place of the list: refused, and the jobs are still held",
        {
            "rq:queue:q": "oops",
            "rq:job:a": job("started", **CLAIM),
            "rq:wip:q": ZSet({"a:7": INF}),
            "postroom:held:w1": {"a:7": "q"},
        },
        release("a"),
        Then(Refused("WRONGTYPE")),
        again=Then(Refused("WRONGTYPE")),
    ),
    *fence_rows(release("a")),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_release(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
