"""claim.lua and the scripts that make jobs: deadlines."""

from dataclasses import replace
from typing import Any

import pytest

from tests.lua.line import BUSY, LINE, keyed, line, turned, waiting
from tests.lua.table import AT, Call, FromNow, Row, Table, Then, ZSet, event, job, lasting
from tests.lua.test_claim import JOINED, claim, ours, taken, taking
from tests.lua.test_enqueue import enqueue, new
from tests.lua.test_enqueue_keyed import enqueue as enqueue_keyed

EMPTY = {"postroom:token": "8", "postroom:held:w1": {"@q": "0 0"}}
"""w1 has claimed, and there was nothing to be had."""
OVER: dict[str, Any] = {"p_deadline": "1000.000000"}
EXPIRED: dict[str, Any] = {**OVER, "p_expired": AT, "ended_at": AT}
NOTED = {"rq:canceled:q": ZSet(a=1000), "postroom:expired:q": ZSet(a=1000)}


def bounded(call: Call, **bounds: Any) -> Call:
    """The same call, with a deadline, or of a job that a handler enqueues."""
    return replace(call, args={**call.args, **bounds})


def written(name: str, stored: str, **bounds: Any) -> Row:
    """A new job, and the deadline that stands in its hash."""
    return Row(
        f"enqueue: {name}",
        {},
        bounded(enqueue(new("a", "n")), **bounds),
        Then(
            [1],
            {
                "rq:queues": {"rq:queue:q"},
                "rq:queue:q": ["a"],
                "rq:job:a": job("queued", p_nonce="n", p_deadline=stored),
            },
        ),
        again=Then([0]),
    )


ROWS = (
    written("seconds from now", "1060.500000", within=60.5),
    written("a time", "2000.250000", deadline=2000.25),
    written("both: the earlier counts, which is the time", "1020.000000", within=60, deadline=1020),
    written("both: the earlier counts, which is in seconds", "1060.000000", within=60, deadline=2000),
    Row(
        "enqueue_keyed: seconds from now, for those that wait, too",
        {},
        bounded(enqueue_keyed([*new("a"), "k"], [*new("b"), "k"]), within=60),
        Then(
            [1, 1],
            {
                "rq:queues": {"rq:queue:q"},
                "rq:queue:q": ["a"],
                LINE: line("a", "b"),
                BUSY: ZSet(k=1000),
                "rq:deferred:q": ZSet(b=1000),
                "rq:job:a": keyed("queued", p_turn=AT, p_deadline="1060.000000"),
                "rq:job:b": keyed("deferred", p_due="", p_deadline="1060.000000"),
            },
        ),
        again=Then([0, 0]),
    ),
    Row(
        "claim: what is in time is handed out, with the seconds that are left",
        {"rq:queue:q": ["a"], "rq:job:a": job("queued", p_deadline="1000.500000"), **JOINED},
        claim(),
        Then(
            ["8", ours("a", deadline="1000.500000 0.500000")],
            taking("a", **{"rq:job:a": taken(p_deadline="1000.500000")}),
        ),
        again=Then(["8", ours("a", "started", deadline="1000.500000 0.500000")]),
    ),
    Row(
        "claim: a deadline that is no time is none",
        {"rq:queue:q": ["a"], "rq:job:a": job("queued", p_deadline="soon"), **JOINED},
        claim(),
        Then(["8", ours("a", deadline="soon")], taking("a", **{"rq:job:a": taken(p_deadline="soon")})),
        again=Then(["8", ours("a", "started", deadline="soon")]),
    ),
    Row(
        "claim: what is overdue expires, though it is on the list twice; the others are handed out",
        {"rq:queue:q": ["a", "a", "b"], "rq:job:a": job("queued", **OVER), "rq:job:b": job("queued"), **JOINED},
        claim(),
        Then(
            ["8", ours("b")],
            taking("b", **{"rq:job:a": job("canceled", **EXPIRED), "rq:job:b": taken(), **NOTED}),
            [event("expired", "a")],
        ),
        again=Then(["8", ours("b", "started")]),
    ),
    Row(
        "claim: all are overdue: the server's clock counts; the one behind it has its key, and its parent forgets it",
        {
            "rq:queue:q": ["a"],
            "rq:job:a": keyed("queued", **OVER, p_parent="p"),
            "postroom:children:p": {"a", "x"},
            LINE: line("a", "b"),
            BUSY: ZSet(k=990),
            **waiting("b", queue="r"),
            **JOINED,
        },
        claim(now=""),
        Then(
            ["8"],
            {
                "rq:job:a": keyed("canceled", **EXPIRED, p_parent="p"),
                "rq:canceled:q": ZSet(a=FromNow(0)),
                "postroom:expired:q": ZSet(a=FromNow(0)),
                "postroom:children:p": {"x"},
                LINE: ZSet(b=2),
                BUSY: ZSet(k=990),
                "rq:queue:r": ["b"],
                "rq:job:b": turned(origin="r"),
                **EMPTY,
            },
            [event("expired", "a")],
        ),
        again=Then([]),
    ),
    Row(
        "claim: foreign keys in the places of the registries keep nobody from claiming",
        {
            "rq:queue:q": ["a"],
            "rq:job:a": job("queued", **OVER, p_parent="p"),
            "rq:canceled:q": "oops",
            "postroom:expired:q": "oops",
            "postroom:children:p": "oops",
            **JOINED,
        },
        claim(),
        Then(
            ["8"],
            {
                "rq:job:a": job("canceled", **EXPIRED, p_parent="p"),
                "rq:canceled:q": "oops",
                "postroom:expired:q": "oops",
                "postroom:children:p": "oops",
                **EMPTY,
            },
            [event("expired", "a")],
        ),
        again=Then([]),
    ),
    Row(
        "claim: a dead letter that was redriven begins anew, without its deadline",
        {"rq:queue:q": ["a"], "rq:job:a": job("queued", **OVER, p_reason="R"), **JOINED},
        claim(),
        Then(["8", ours("a")], taking("a", **{"rq:job:a": taken()})),
        again=Then(["8", ours("a", "started")]),
    ),
    Row(
        "retain: those that have expired leave both registries after their time",
        {
            "rq:canceled:q": ZSet(a=900, b=901),
            "postroom:expired:q": ZSet(a=900, b=901),
            "rq:job:a": job("canceled", **EXPIRED),
            "rq:job:b": job("canceled", **EXPIRED),
        },
        Call("retain", {"canceled_ttl": 100, "keep_dead": 100, "limit": 500}),
        Then(
            1,
            {
                "rq:canceled:q": ZSet(b=901),
                "postroom:expired:q": ZSet(b=901),
                "rq:job:b": job("canceled", **EXPIRED),
            },
        ),
        again=Then(0),
    ),
    Row(
        "cancel: what has expired, and stays that",
        {"rq:job:a": job("canceled", **EXPIRED)},
        Call("cancel", {}),
        Then(["expired", 0]),
        again=Then(["expired", 0]),
    ),
    Row(
        "delete: from those of its queue that have expired",
        {"rq:job:a": job("canceled", **EXPIRED), "rq:canceled:q": ZSet(a=900), "postroom:expired:q": ZSet(a=9, b=9)},
        Call("delete", {"nonce": ""}),
        Then(1, {"postroom:expired:q": ZSet(b=9), "postroom:gone:a": lasting(60, "delete- ")}),
        again=Then(1),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_deadlines(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
