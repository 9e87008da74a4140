"""retry.lua: a failed attempt goes back, at once or when its wait is over."""

from typing import Any

import pytest

from tests.lua.fence import fence_rows
from tests.lua.table import AT, Call, FromNow, Refused, Row, Table, Then, ZSet, event, job

INF = float("inf")
CLAIM: dict[str, Any] = {"worker_name": "w1", "p_token": 7}


def failed(job_id: str, delay: float = 0, where: str = "back", attempt: int = 1) -> list[Any]:
    """One job as the script takes it, with two fields to store."""
    return [job_id, 7, delay, where, "", 4, "p:attempt", attempt, "exc_info", "T"]


def retry(*jobs: list[Any], now: Any = 1000) -> Call:
    """One call."""
    return Call("retry", {"now": now}, [part for one in jobs for part in one])


ROWS = (
    Row(
        "at once: back to the tail",
        {
            "rq:queue:q": ["x"],
            "rq:job:a": job("started", **CLAIM),
            "rq:wip:q": ZSet({"a:7": INF, "b:8": INF}),
            "postroom:held:w1": {"@q": "1 7", "a:7": "q", "b:8": "q"},
        },
        retry(failed("a")),
        Then(
            ["OK"],
            {
                "rq:queue:q": ["x", "a"],
                "rq:job:a": job("queued", **CLAIM, p_attempt=1, exc_info="T", enqueued_at=AT),
                "rq:wip:q": ZSet({"b:8": INF}),
                "postroom:held:w1": {"@q": "1 7", "b:8": "q"},
            },
            [event("retried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "it was declined before: it waits for something else now",
        {"rq:job:a": job("started", **CLAIM, p_waits="W")},
        retry(failed("a")),
        Then(
            ["OK"],
            {"rq:queue:q": ["a"], "rq:job:a": job("queued", **CLAIM, p_attempt=1, exc_info="T", enqueued_at=AT)},
            [event("retried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "at once, to the head",
        {"rq:queue:q": ["x"], "rq:job:a": job("started", **CLAIM, p_attempt=1)},
        retry(failed("a", where="front", attempt=2)),
        Then(
            ["OK"],
            {
                "rq:queue:q": ["a", "x"],
                "rq:job:a": job("queued", **CLAIM, p_attempt=2, exc_info="T", enqueued_at=AT),
            },
            [event("retried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "after a wait",
        {"rq:scheduled:q": ZSet(x=1001), "rq:job:a": job("started", **CLAIM, enqueued_at="Q")},
        retry(failed("a", delay=2.5)),
        Then(
            ["OK"],
            {
                "rq:scheduled:q": ZSet(x=1001, a=1002.5),
                "rq:job:a": job("scheduled", **CLAIM, p_attempt=1, exc_info="T", enqueued_at="Q"),
            },
            [event("retried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "after a wait by the server's clock",
        {"rq:job:a": job("started", **CLAIM)},
        retry(failed("a", delay=60), now=""),
        Then(
            ["OK"],
            {
                "rq:scheduled:q": ZSet(a=FromNow(60)),
                "rq:job:a": job("scheduled", **CLAIM, p_attempt=1, exc_info="T"),
            },
            [event("retried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "several, with different numbers of fields: each has its own answer",
        {
            "rq:job:a": job("started", **CLAIM),
            "rq:job:b": job("canceled", **CLAIM),
            "rq:job:c": job("started", **CLAIM),
            "rq:wip:q": ZSet({"a:7": INF, "b:7": INF, "c:7": INF}),
            "postroom:held:w1": {"a:7": "q", "b:7": "q", "c:7": "q"},
        },
        retry(["a", 7, 0, "back", "", 2, "p:first", "999.5"], failed("b"), failed("c", attempt=2)),
        Then(
            ["OK", "STALE", "OK"],
            {
                "rq:queue:q": ["a", "c"],
                "rq:job:a": job("queued", **CLAIM, p_first="999.5", enqueued_at=AT),
                "rq:job:b": job("canceled", **CLAIM),
                "rq:job:c": job("queued", **CLAIM, p_attempt=2, exc_info="T", enqueued_at=AT),
            },
            [event("retried", "a", "c")],
        ),
        again=Then(["ALREADY", "STALE", "ALREADY"]),
    ),
    Row(
        "its isolated process died: a death more, and how; no attempt",
        {"rq:job:a": job("started", **CLAIM, p_attempt=1, p_deaths=1, p_failures=1)},
        retry(["a", 7, 0, "back", "D", 2, "p:deaths", 2]),
        Then(
            ["OK"],
            {
                "rq:queue:q": ["a"],
                "rq:job:a": job(
                    "queued", **CLAIM, p_attempt=1, p_deaths=2, p_failures=2, **{"p:failure:1": "D"}, enqueued_at=AT
                ),
            },
            [event("retried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    *(
        Row(
            f"after {before} failed executions the place of this one is {place}",
            {"rq:job:a": job("started", **CLAIM, p_failures=before)},
            retry(["a", 7, 0, "back", "D", 0]),
            Then(
                ["OK"],
                {
                    "rq:queue:q": ["a"],
                    "rq:job:a": job("queued", **CLAIM, p_failures=after, **{f"p:failure:{place}": "D"}, enqueued_at=AT),
                },
                [event("retried", "a")],
            ),
            again=Then(["ALREADY"]),
        )
        for before, place, after in (
            *((None, 0, 1), (1, 1, 2), (9, 9, 10), (10, 1, 11), (18, 9, 19), (19, 1, 20)),
            *(("x", 0, 1), ("-3", 0, 1), ("0.5", 0, 1)),
        )
    ),
    *(
        Row(
            f"a foreign key in the place of the {key}: refused, and the job is still held",
            {
                key: "oops",
                "rq:job:a": job("started", **CLAIM),
                "rq:wip:q": ZSet({"a:7": INF}),
                "postroom:held:w1": {"a:7": "q"},
            },
            retry(failed("a", delay=delay)),
            Then(Refused("WRONGTYPE")),
            again=Then(Refused("WRONGTYPE")),
        )
        for key, delay in (("rq:queue:q", 0), ("rq:scheduled:q", 1))
    ),
    *fence_rows(retry(failed("a"))),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_retry(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
