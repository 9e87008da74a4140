"""The fence's rows: the same for complete, bury, retry and release. Each is a call of process w1 for job a, token 7."""

from collections.abc import Iterator
from typing import Any

from tests.lua.table import Call, Row, Then, ZSet, job, lasting

INF = float("inf")


def _row(name: str, reply: str, call: Call, standing: dict[str, Any]) -> Row:
    """A call that changes nothing but takes its own entries out of w1's hands and out of the running jobs."""
    return Row(
        f"{reply}: {name}",
        {
            **standing,
            "rq:wip:q": ZSet({"a:7": INF, "a:8": INF}),
            "postroom:held:w1": {"@q": "1 7", "a:7": "q", "a:8": "q"},
            "postroom:held:w2": {"a:7": "q"},
        },
        call,
        Then(
            [reply],
            {
                **standing,
                "rq:wip:q": ZSet({"a:8": INF}),
                "postroom:held:w1": {"@q": "1 7", "a:8": "q"},
                "postroom:held:w2": {"a:7": "q"},
            },
        ),
        again=Then([reply]),
    )


def fence_rows(call: Call) -> Iterator[Row]:
    """The table of docs/internals.md: all rows but OK."""
    for status in ("finished", "failed", "queued", "scheduled"):
        standing: dict[str, Any] = {"rq:job:a": job(status, worker_name="w1", p_token=7)}
        yield _row(f"under this token it is {status}: this very call was made before", "ALREADY", call, standing)
    yield _row("no hash, but a tombstone with this token", "ALREADY", call, {"postroom:gone:a": lasting(60, "7 n1")})
    for name, hash_ in {
        "the same process claimed it again": job("started", worker_name="w1", p_token=8),
        "another process claimed it": job("started", worker_name="w2", p_token=8),
        "another process has this token": job("started", worker_name="w2", p_token=7),
        "it ended under another claim": job("finished", worker_name="w2", p_token=8),
        "it was canceled": job("canceled", worker_name="w1", p_token=7),
        "it was recovered": job("queued", worker_name="w1", p_redelivered=1),
        "it was never claimed by us": job("queued"),
        "a key of another type stands there": "oops",
    }.items():
        yield _row(name, "STALE", call, {"rq:job:a": hash_})
    deleted = {"postroom:gone:a": lasting(60, "delete-d1 n1")}
    yield _row("it was deleted, and not by a settling claim", "STALE", call, deleted)
    yield _row("it was deleted by another claim", "STALE", call, {"postroom:gone:a": lasting(60, "8 ")})
    yield _row("there is nothing of it", "STALE", call, {})
    yield _row("there is nothing of it, and no tombstone but a foreign key", "STALE", call, {"postroom:gone:a": ["x"]})
    yield _row(
        "it was deleted and made anew",
        "STALE",
        call,
        {"rq:job:a": job("queued", p_nonce="n2"), "postroom:gone:a": lasting(60, "7 n1")},
    )
