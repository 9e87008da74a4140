"""cancel.lua: a job that has not ended will not run."""

from typing import Any

import pytest

from tests.lua.table import AT, Call, FromNow, Row, Table, Then, ZSet, event, job, rq_job

INF = float("inf")


def cancel(now: Any = 1000) -> Call:
    """One call, of job a."""
    return Call("cancel", {"now": now})


ROWS = (
    Row(
        "queued: its id stays on the list, where the claim will drop it",
        {"rq:queue:q": ["a"], "rq:job:a": job("queued"), "rq:canceled:q": ZSet(x=900)},
        cancel(),
        Then(
            ["queued", 0],
            {
                "rq:queue:q": ["a"],
                "rq:job:a": job("canceled", ended_at=AT),
                "rq:canceled:q": ZSet(x=900, a=1000),
            },
            [event("canceled", "a")],
        ),
        again=Then(["canceled", 0]),
    ),
    Row(
        "scheduled: it no longer waits",
        {"rq:scheduled:q": ZSet(a=1100, b=1200), "rq:job:a": job("scheduled")},
        cancel(),
        Then(
            ["scheduled", 0],
            {
                "rq:scheduled:q": ZSet(b=1200),
                "rq:job:a": job("canceled", ended_at=AT),
                "rq:canceled:q": ZSet(a=1000),
            },
            [event("canceled", "a")],
        ),
        again=Then(["canceled", 0]),
    ),
    Row(
        "declined: it no longer waits for a worker",
        {"postroom:declined:q": ZSet(a=900, b=901), "rq:job:a": job("scheduled", p_waits="W")},
        cancel(),
        Then(
            ["scheduled", 0],
            {
                "postroom:declined:q": ZSet(b=901),
                "rq:job:a": job("canceled", p_waits="W", ended_at=AT),
                "rq:canceled:q": ZSet(a=1000),
            },
            [event("canceled", "a")],
        ),
        again=Then(["canceled", 0]),
    ),
    Row(
        "deferred: it no longer waits for others",
        {"rq:deferred:r": ZSet(a=900, b=900), "rq:job:a": rq_job("deferred", origin="r")},
        cancel(),
        Then(
            ["deferred", 0],
            {
                "rq:deferred:r": ZSet(b=900),
                "rq:job:a": rq_job("canceled", origin="r", ended_at=AT),
                "rq:canceled:r": ZSet(a=1000),
            },
            [event("canceled", "a", queue="r")],
        ),
        again=Then(["canceled", 0]),
    ),
    Row(
        "started: its worker keeps it in its hands, but will not be heard, and is told so",
        {
            "rq:job:a": job("started", worker_name="w1", p_token=7),
            "rq:wip:q": ZSet({"a:7": INF}),
            "postroom:held:w1": {"a:7": "q"},
        },
        cancel(),
        Then(
            ["started", 0],
            {
                "rq:job:a": job("canceled", worker_name="w1", p_token=7, ended_at=AT),
                "rq:wip:q": ZSet({"a:7": INF}),
                "postroom:held:w1": {"a:7": "q"},
                "rq:canceled:q": ZSet(a=1000),
            },
            [event("canceled", "a")],
            [("w1", "a")],
        ),
        again=Then(["canceled", 0]),
    ),
    Row(
        "queued again after a worker had it: that one is not told",
        {"rq:job:a": job("queued", worker_name="w1", p_redelivered=1)},
        cancel(),
        Then(
            ["queued", 0],
            {
                "rq:job:a": job("canceled", worker_name="w1", p_redelivered=1, ended_at=AT),
                "rq:canceled:q": ZSet(a=1000),
            },
            [event("canceled", "a")],
        ),
        again=Then(["canceled", 0]),
    ),
    Row(
        "started, and its hash does not say by whom: nobody is on that channel",
        {"rq:job:a": job("started")},
        cancel(),
        Then(
            ["started", 0],
            {"rq:job:a": job("canceled", ended_at=AT), "rq:canceled:q": ZSet(a=1000)},
            [event("canceled", "a")],
            [("", "a")],
        ),
        again=Then(["canceled", 0]),
    ),
    *(
        Row(
            f"{status}: it will not run, either",
            {"rq:job:a": rq_job(status)},
            cancel(),
            Then(
                [status, 0],
                {"rq:job:a": rq_job("canceled", ended_at=AT), "rq:canceled:q": ZSet(a=1000)},
                [event("canceled", "a")],
            ),
            again=Then(["canceled", 0]),
        )
        for status in ("created", "ready_to_enqueue", "rate_limited")
    ),
    *(
        Row(
            f"{status}: it has ended, and stays what it is",
            {"rq:job:a": job(status, ended_at="E"), "rq:finished:q": ZSet(a=1500)},
            cancel(),
            Then([status, 0]),
            again=Then([status, 0]),
        )
        for status in ("finished", "failed", "canceled", "stopped")
    ),
    Row(
        "by the server's clock",
        {"rq:job:a": job("queued")},
        cancel(now=""),
        Then(
            ["queued", 0],
            {"rq:job:a": job("canceled", ended_at=AT), "rq:canceled:q": ZSet(a=FromNow(0))},
            [event("canceled", "a")],
        ),
        again=Then(["canceled", 0]),
    ),
    Row("there is no such job", {"rq:job:b": job("queued")}, cancel(), Then([None, 0]), again=Then([None, 0])),
    Row("a hash without a status", {"rq:job:a": {"data": "[]"}}, cancel(), Then([None, 0]), again=Then([None, 0])),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_cancel(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
