"""bury.lua: a job becomes a dead letter."""

import json
from typing import Any

import pytest

from tests.lua.fence import fence_rows
from tests.lua.table import Call, FromNow, Refused, Row, Stream, Table, Then, ZSet, event, job, lasting

INF = float("inf")
CLAIM: dict[str, Any] = {"worker_name": "w1", "p_token": 7}
DEAD = {**CLAIM, "started_at": "S", "ended_at": "E", "p_reason": "R", "exc_info": "T", "p_attempt": 3}
FAILED = {"p:failure:0": "A", "p:failure:1": "B", "p:failure:2": "C"}
STANDING: dict[str, Any] = {
    "rq:job:a": job("started", **CLAIM),
    "rq:wip:q": ZSet({"a:7": INF}),
    "postroom:held:w1": {"a:7": "q"},
}
"""Job a, in the hands of w1."""


def dead(job_id: str, ttl: int = 900, failure: str = "", **more: str) -> list[Any]:
    """One job as the script takes it: its third attempt ran from S to E and failed for R with the traceback T."""
    fields = {"p:reason": "R", "exc_info": "T", "started_at": "S", "ended_at": "E", "p:attempt": 3, **more}
    return [job_id, 7, ttl, "", failure, 2 * len(fields), *(part for pair in fields.items() for part in pair)]


def told(*ids: str, task: str = "") -> Stream:
    """The stream of burials after one call."""
    return Stream([{"queue": "q", "task": task, "jobs": json.dumps(ids, separators=(",", ":"))}])


def bury(*jobs: list[Any], now: Any = 1000) -> Call:
    """One call."""
    return Call("bury", {"now": now}, [part for one in jobs for part in one])


ROWS = (
    Row(
        "a dead letter says why; its hash expires with its entry",
        {
            "rq:job:a": job("started", **CLAIM, p_attempt=2, p_first="900.5", p_redelivered=1),
            "rq:wip:q": ZSet({"a:7": INF, "b:8": INF}),
            "postroom:held:w1": {"@q": "1 7", "a:7": "q", "b:8": "q"},
            "rq:failed:q": ZSet(x=-1),
        },
        bury(dead("a")),
        Then(
            ["OK"],
            {
                "rq:job:a": lasting(900, job("failed", **DEAD, p_first="900.5", p_redelivered=1)),
                "rq:wip:q": ZSet({"b:8": INF}),
                "postroom:held:w1": {"@q": "1 7", "b:8": "q"},
                "rq:failed:q": ZSet(x=-1, a=1900),
                "postroom:dead": told("a"),
            },
            [event("buried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "of several jobs each has its own answer",
        {
            "rq:job:a": job("canceled", **CLAIM),
            "rq:job:b": job("started", **CLAIM),
            "rq:job:c": job("started", **CLAIM),
            "rq:wip:q": ZSet({"a:7": INF, "b:7": INF, "c:7": INF}),
            "postroom:held:w1": {"a:7": "q", "b:7": "q", "c:7": "q"},
        },
        bury(dead("a"), dead("b"), dead("c", ttl=-1)),
        Then(
            ["STALE", "OK", "OK"],
            {
                "rq:job:a": job("canceled", **CLAIM),
                "rq:job:b": lasting(900, job("failed", **DEAD)),
                "rq:job:c": job("failed", **DEAD),
                "rq:failed:q": ZSet(b=1900, c=-1),
                "postroom:dead": told("b", "c"),
            },
            [event("buried", "b", "c")],
        ),
        again=Then(["STALE", "ALREADY", "ALREADY"]),
    ),
    Row(
        "the record has an entry for each task, whose name is cut",
        {f"rq:job:{one}": job("started", **CLAIM) for one in "abcd"},
        bury(
            *(dead(one, ttl=0, **{"p:task": task}) for one, task in zip("abcd", ("t", 300 * "u", "t", ""), strict=True))
        ),
        Then(
            ["OK"] * 4,
            {
                **{f"postroom:gone:{one}": lasting(60, "7 ") for one in "abcd"},
                "postroom:dead": Stream([*told("a", "c", task="t"), *told("b", task=200 * "u"), *told("d")]),
            },
            [event("buried", *"abcd")],
        ),
        again=Then(["ALREADY"] * 4),
    ),
    Row(
        "what was unusable is mended, so that RQ's readers can show it",
        {"rq:job:a": {"status": "started", "worker_name": "w1", "p:token": "7", "created_at": "yesterday"}},
        bury(dead("a", created_at="C2")),
        Then(
            ["OK"],
            {
                "rq:job:a": lasting(900, job("failed", **DEAD, data="", created_at="C2", p_type=None)),
                "rq:failed:q": ZSet(a=1900),
                "postroom:dead": told("a"),
            },
            [event("buried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "the execution that failed is kept beside those before it, also before a redrive",
        {"rq:job:a": job("started", **CLAIM, p_failures=3, **FAILED)},
        bury(dead("a", failure="D")),
        Then(
            ["OK"],
            {
                "rq:job:a": lasting(900, job("failed", **DEAD, p_failures=4, **FAILED, **{"p:failure:3": "D"})),
                "rq:failed:q": ZSet(a=1900),
                "postroom:dead": told("a"),
            },
            [event("buried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "it stands in the queue that it was claimed from",
        {"rq:job:a": job("started", **CLAIM, origin="elsewhere")},
        bury(dead("a")),
        Then(
            ["OK"],
            {
                "rq:job:a": lasting(900, job("failed", **DEAD)),
                "rq:failed:q": ZSet(a=1900),
                "postroom:dead": told("a"),
            },
            [event("buried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "its time ends by the server's clock",
        {"rq:job:a": job("started", **CLAIM)},
        bury(dead("a"), now=""),
        Then(
            ["OK"],
            {
                "rq:job:a": lasting(900, job("failed", **DEAD)),
                "rq:failed:q": ZSet(a=FromNow(900)),
                "postroom:dead": told("a"),
            },
            [event("buried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "kept for ever: -1, as RQ writes it",
        {"rq:job:a": job("started", **CLAIM)},
        bury(dead("a", ttl=-1)),
        Then(
            ["OK"],
            {"rq:job:a": job("failed", **DEAD), "rq:failed:q": ZSet(a=-1), "postroom:dead": told("a")},
            [event("buried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "kept less than a minute, it leaves a tombstone",
        {"rq:job:a": job("started", **CLAIM, p_nonce="n1")},
        bury(dead("a", ttl=30)),
        Then(
            ["OK"],
            {
                "rq:job:a": lasting(30, job("failed", **DEAD, p_nonce="n1")),
                "postroom:gone:a": lasting(60, "7 n1"),
                "rq:failed:q": ZSet(a=1030),
                "postroom:dead": told("a"),
            },
            [event("buried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "kept not at all, only the tombstone is left",
        {"rq:job:a": job("started", **CLAIM)},
        bury(dead("a", ttl=0)),
        Then(["OK"], {"postroom:gone:a": lasting(60, "7 "), "postroom:dead": told("a")}, [event("buried", "a")]),
        again=Then(["ALREADY"]),
    ),
    *(
        Row(
            f"a foreign key in the place of {key}: refused, and the job has not failed",
            {**STANDING, key: "oops"},
            bury(dead("a")),
            Then(Refused("WRONGTYPE"), {**STANDING, **written, key: "oops"}),
            again=Then(Refused("WRONGTYPE")),
        )
        for key, written in (
            ("rq:failed:q", {}),
            ("postroom:dead", {"rq:failed:q": ZSet(a=1900)}),
            ("rq:wip:q", {"rq:failed:q": ZSet(a=1900)}),
        )
    ),
    *fence_rows(bury(dead("a"))),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_bury(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
