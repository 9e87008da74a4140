"""claim.lua: jobs going from a queue into a worker's hands."""

from typing import Any

import pytest

from tests.lua.table import Call, FromNow, Row, Table, Then, ZSet, job, lasting, rq_job

INF = float("inf")
BIG = "d" * 600_000
FIELDS = (
    *("status", "data", "type", "attempt", "first", "timeout", "result_ttl", "created_at"),
    *("callback", "reason", "deaths", "deadline", "limits", "trace", "enqueued_at"),
)


TRACED = {"trace": "T", "enqueued_at": "E"}
HAND = {"postroom:held:w1": {"@q": "0 0"}}
JOINED = {"postroom:token": "7", **HAND}
"""w1 has joined, and the last claim of anybody was token 7."""


MORE = ("p:trace", "enqueued_at")


def claim(
    limit: int = 10, request: int = 1, now: Any = 1000, process: str = "w1", more: tuple[str, ...] = MORE
) -> Call:
    """One call; the lease is 12 s; as where somebody observes."""
    return Call("claim", {"limit": limit, "request": request, "lease": 12, "now": now, "process": process}, more)


def ours(job_id: str, status: str = "queued", **values: Any) -> list[Any]:
    """A job of ours in the reply: the fields that running it needs, then its id."""
    found = {"status": status, "data": "[]", "type": "j", "created_at": "C", **values}
    return [*(found.get(name) for name in FIELDS), job_id]


def theirs(job_id: str, status: str = "queued") -> list[Any]:
    """A job of RQ's producer in the reply."""
    found = {"status": status, "data": "z", "created_at": "C", "callback": ""}
    return [*(found.get(name) for name in FIELDS), job_id]


def taken(**fields: Any) -> dict[str, str]:
    """The hash of a job of ours that w1 claimed under token 8."""
    return job("started", worker_name="w1", p_token=8, **fields)


def taking(*ids: str, **space: Any) -> dict[str, Any]:
    """What the first claim of w1, under token 8, writes beside the hashes."""
    return {
        "rq:queues": {"rq:queue:q"},
        "postroom:token": "8",
        "rq:wip:q": ZSet({f"{job_id}:8": INF for job_id in ids}),
        "postroom:held:w1": {"@q": "1 8", **{f"{job_id}:8": "q" for job_id in ids}},
        "postroom:leases": ZSet(w1=1012),
        **space,
    }


ROWS = (
    Row(
        "the head of the list, no more than asked for; a replay gets the same",
        {
            "rq:queue:q": ["a", "b", "c"],
            "rq:job:a": job("queued", timeout=30, result_ttl=60),
            "rq:job:b": job("queued", p_attempt=2, p_first="900.5", p_trace="T", enqueued_at="E"),
            "rq:job:c": job("queued"),
            **JOINED,
        },
        claim(limit=2),
        Then(
            ["8", ours("a", timeout="30", result_ttl="60"), ours("b", attempt="2", first="900.5", **TRACED)],
            {
                "rq:queue:q": ["c"],
                "rq:job:a": job("started", worker_name="w1", p_token=8, timeout=30, result_ttl=60),
                "rq:job:b": taken(p_attempt=2, p_first="900.5", p_trace="T", enqueued_at="E"),
                "rq:job:c": job("queued"),
                "postroom:token": "8",
                "rq:wip:q": ZSet({"a:8": INF, "b:8": INF}),
                "postroom:held:w1": {"@q": "1 8", "a:8": "q", "b:8": "q"},
                "rq:queues": {"rq:queue:q"},
                "postroom:leases": ZSet(w1=1012),
            },
        ),
        again=Then(
            [
                "8",
                ours("a", "started", timeout="30", result_ttl="60"),
                ours("b", "started", attempt="2", first="900.5", **TRACED),
            ]
        ),
    ),
    Row(
        "the very first claim has token 1",
        {"rq:queue:q": ["a"], "rq:job:a": job("queued"), **HAND},
        claim(),
        Then(
            ["1", ours("a")],
            {
                "rq:job:a": job("started", worker_name="w1", p_token=1),
                "postroom:token": "1",
                "rq:wip:q": ZSet({"a:1": INF}),
                "postroom:held:w1": {"@q": "1 1", "a:1": "q"},
                "rq:queues": {"rq:queue:q"},
                "postroom:leases": ZSet(w1=1012),
            },
        ),
        again=Then(["1", ours("a", "started")]),
    ),
    Row(
        "the next request gets the next token, and the lease is renewed",
        {
            "rq:queue:q": ["b"],
            "rq:job:a": taken(),
            "rq:job:b": job("queued"),
            "postroom:token": "8",
            "rq:wip:q": ZSet({"a:8": INF}),
            "postroom:held:w1": {"@q": "1 8", "a:8": "q"},
            "postroom:leases": ZSet(w1=1002, w2=1003),
        },
        claim(request=2),
        Then(
            ["9", ours("b")],
            {
                "rq:job:a": taken(),
                "rq:job:b": job("started", worker_name="w1", p_token=9),
                "postroom:token": "9",
                "rq:wip:q": ZSet({"a:8": INF, "b:9": INF}),
                "postroom:held:w1": {"@q": "2 9", "a:8": "q", "b:9": "q"},
                "rq:queues": {"rq:queue:q"},
                "postroom:leases": ZSet(w1=1012, w2=1003),
            },
        ),
        again=Then(["9", ours("b", "started")]),
    ),
    Row(
        "a replay gets the jobs of that claim only, whatever is on the list by now",
        {
            "rq:queue:q": ["c"],
            "rq:job:c": job("queued"),
            "rq:job:a": taken(),
            "rq:job:b": taken(),
            "postroom:held:w1": {"@q": "1 8", "@r": "5 6", "a:8": "q", "b:8": "q", "d:6": "r"},
        },
        claim(request=1),
        Then(["8", ours("a", "started"), ours("b", "started")]),
        again=Then(["8", ours("a", "started"), ours("b", "started")]),
    ),
    Row(
        "an older request comes when nobody waits for it any more: it takes nothing",
        {
            "rq:queue:q": ["c"],
            "rq:job:c": job("queued"),
            "postroom:held:w1": {"@q": "10 8", "a:8": "q"},
        },
        claim(request=9),
        Then([]),
        again=Then([]),
    ),
    Row(
        "another process's claim of the same number is its own",
        {
            "rq:queue:q": ["b"],
            "rq:job:b": job("queued"),
            "postroom:token": "8",
            "postroom:held:w1": {"@q": "1 8", "a:8": "q"},
            "postroom:held:w2": {"@q": "0 0"},
        },
        claim(process="w2"),
        Then(
            ["9", ours("b")],
            {
                "rq:job:b": job("started", worker_name="w2", p_token=9),
                "postroom:token": "9",
                "rq:wip:q": ZSet({"b:9": INF}),
                "postroom:held:w1": {"@q": "1 8", "a:8": "q"},
                "postroom:held:w2": {"@q": "1 9", "b:9": "q"},
                "rq:queues": {"rq:queue:q"},
                "postroom:leases": ZSet(w2=1012),
            },
        ),
        again=Then(["9", ours("b", "started")]),
    ),
    Row("an empty queue", {**JOINED}, claim(), Then([]), again=Then([])),
    Row(
        "what only observers read, where nobody observes",
        {"rq:queue:q": ["a"], "rq:job:a": job("queued", p_trace="T", enqueued_at="E"), **JOINED},
        claim(more=()),
        Then(
            ["8", [*ours("a")[: -1 - len(MORE)], "a"]],
            {"rq:job:a": taken(p_trace="T", enqueued_at="E"), **taking("a")},
        ),
        again=Then(["8", [*ours("a", status="started")[: -1 - len(MORE)], "a"]]),
    ),
    Row(
        "the lease is by the server's clock",
        {"rq:queue:q": ["a"], "rq:job:a": job("queued"), **JOINED},
        claim(now=""),
        Then(["8", ours("a")], taking("a", **{"rq:job:a": taken(), "postroom:leases": ZSet(w1=FromNow(12))})),
        again=Then(["8", ours("a", "started")]),
    ),
    Row(
        "a batch is bounded by bytes",
        {
            "rq:queue:q": ["a", "b", "c"],
            **{f"rq:job:{job_id}": job("queued", data=BIG) for job_id in "abc"},
            **JOINED,
        },
        claim(),
        Then(
            ["8", ours("a", data=BIG), ours("b", data=BIG)],
            taking(
                "a",
                "b",
                **{
                    "rq:queue:q": ["c"],
                    "rq:job:a": taken(data=BIG),
                    "rq:job:b": taken(data=BIG),
                    "rq:job:c": job("queued", data=BIG),
                },
            ),
        ),
        again=Then(["8", ours("a", "started", data=BIG), ours("b", "started", data=BIG)]),
    ),
    Row(
        "an id twice in one batch is taken once",
        {"rq:queue:q": ["a", "a", "b"], "rq:job:a": job("queued"), "rq:job:b": job("queued"), **JOINED},
        claim(),
        Then(["8", ours("a"), ours("b")], taking("a", "b", **{"rq:job:a": taken(), "rq:job:b": taken()})),
        again=Then(["8", ours("a", "started"), ours("b", "started")]),
    ),
    Row(
        "a dropped id counts towards the limit, so that a call's work is bounded",
        {
            "rq:queue:q": ["x", "a", "b"],
            "rq:job:a": job("queued"),
            "rq:job:b": job("queued"),
            **JOINED,
        },
        claim(limit=2),
        Then(["8", ours("a")], taking("a", **{"rq:queue:q": ["b"], "rq:job:a": taken(), "rq:job:b": job("queued")})),
        again=Then(["8", ours("a", "started")]),
    ),
    Row(
        "deaths that it is charged with go along, and stay",
        {"rq:queue:q": ["a"], "rq:job:a": job("queued", p_deaths=2), **JOINED},
        claim(),
        Then(["8", ours("a", deaths="2")], taking("a", **{"rq:job:a": taken(p_deaths=2)})),
        again=Then(["8", ours("a", "started", deaths="2")]),
    ),
    # The table "What a claim does with an id on the list" ------------------------------------------------------------
    Row(
        "created, by RQ: taken; its expiry is taken away",
        {"rq:queue:q": ["a"], "rq:job:a": lasting(300, rq_job("created")), **JOINED},
        claim(),
        Then(
            ["8", theirs("a", "created")],
            taking("a", **{"rq:job:a": rq_job("started", worker_name="w1", p_token=8)}),
        ),
        again=Then(["8", theirs("a", "started")]),
    ),
    Row(
        "no status, but a hash (a bare RPUSH): taken, likewise",
        {"rq:queue:q": ["a"], "rq:job:a": lasting(300, {"data": "[]"}), **JOINED},
        claim(),
        Then(
            ["8", [None, "[]", *[None] * 13, "a"]],
            taking(
                "a",
                **{
                    "rq:job:a": {"data": "[]", "status": "started", "worker_name": "w1", "p:token": "8"},
                },
            ),
        ),
        again=Then(["8", ["started", "[]", *[None] * 13, "a"]]),
    ),
    Row(
        "ours, saved by RQ: its expiry is taken away",
        {
            "rq:queue:q": ["a"],
            "rq:job:a": lasting(300, job("queued", success_callback_name="")),
            **JOINED,
        },
        claim(),
        Then(
            ["8", ours("a", callback="")],
            taking("a", **{"rq:job:a": taken(success_callback_name="")}),
        ),
        again=Then(["8", ours("a", "started", callback="")]),
    ),
    Row(
        "ours: nobody has given it an expiry, and nobody looks",
        {"rq:queue:q": ["a"], "rq:job:a": lasting(300, job("queued")), **JOINED},
        claim(),
        Then(["8", ours("a")], taking("a", **{"rq:job:a": lasting(300, taken())})),
        again=Then(["8", ours("a", "started")]),
    ),
    Row(
        "queued, with p:reason (RQ requeued a dead letter of ours): attempts begin at 1 again, deaths at 0, and go on",
        {
            "rq:queue:q": ["a"],
            "rq:job:a": job(
                "queued",
                p_reason="R",
                p_attempt=5,
                p_first="900.5",
                p_deaths=3,
                exc_info="T",
                p_redelivered=1,
            ),
            **JOINED,
        },
        claim(),
        Then(["8", ours("a")], taking("a", **{"rq:job:a": taken(exc_info="T", p_redelivered=1)})),
        again=Then(["8", ours("a", "started")]),
    ),
    Row(
        "a key that is no hash is put aside, and the job taken, to become a dead letter",
        {"rq:queue:q": ["a"], "rq:job:a": ["o", "ops"], **JOINED},
        claim(),
        Then(
            ["8", ["queued", None, "foreign", *[None] * 12, "a"]],
            taking(
                "a",
                **{
                    "postroom:foreign:a": ["o", "ops"],
                    "rq:job:a": {"status": "started", "worker_name": "w1", "p:token": "8"},
                },
            ),
        ),
        again=Then(["8", ["started", *[None] * 14, "a"]]),
    ),
    Row(
        "no id of a job at all: moved aside, in its order; what is no such id is never a key",
        {
            "rq:queue:q": ["x y", "ns:b", "a", "@q", "ünï", "x y"],
            "rq:job:a": job("queued"),
            "rq:job:ns:b": job("queued"),
            "postroom:refused": ["w w"],
            **JOINED,
        },
        claim(),
        Then(
            ["8", ours("a")],
            taking(
                "a",
                **{
                    "rq:job:a": taken(),
                    "rq:job:ns:b": job("queued"),
                    "postroom:refused": ["w w", "x y", "ns:b", "@q", "ünï", "x y"],
                },
            ),
        ),
        again=Then(["8", ours("a", "started")]),
    ),
    Row(
        "no status and no hash (deleted, expired): dropped",
        {"rq:queue:q": ["a"], "postroom:gone:a": lasting(60, " "), **JOINED},
        claim(),
        Then(["8"], {"postroom:gone:a": lasting(60, " "), "postroom:token": "8", **HAND}),
        again=Then([]),
    ),
    *(
        Row(
            f"{status}: dropped",
            {"rq:queue:q": ["a"], "rq:job:a": lasting(300, rq_job(status, p_reason="R")), **JOINED},
            claim(),
            Then(["8"], {"rq:job:a": lasting(300, rq_job(status, p_reason="R")), "postroom:token": "8", **HAND}),
            again=Then([]),
        )
        for status in (
            *("started", "finished", "failed", "stopped", "canceled"),
            *("scheduled", "deferred", "ready_to_enqueue", "rate_limited"),
        )
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_claim(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
