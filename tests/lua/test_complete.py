"""complete.lua: results are accepted."""

from typing import Any

import pytest

from tests.lua.fence import fence_rows
from tests.lua.table import Call, FromNow, Refused, Row, Table, Then, ZSet, event, job, lasting

INF = float("inf")
CLAIM: dict[str, Any] = {"worker_name": "w1", "p_token": 7}
ENDED = {**CLAIM, "started_at": "S", "ended_at": "E"}
HELD = {"a:7": "q"}


def done(job_id: str, result: str = "42", ttl: int = 500, token: int = 7) -> list[Any]:
    """One job as the script takes it: it ran from S to E."""
    return [job_id, token, result, "S", "E", ttl, ""]


def complete(*jobs: list[Any], keep: int = 100, now: Any = 1000) -> Call:
    """One call; what ended later than B is not trimmed."""
    args = {"keep": keep, "trim_before": "B", "now": now}
    return Call("complete", args, [part for one in jobs for part in one])


def trimming(name: str, keep: int, before: dict[str, Any], after: dict[str, Any]) -> Row:
    """Job a ends; `before` and `after` are the other finished jobs, all of them but a with their entries."""
    given, then = dict(before), dict(after)
    given["rq:finished:q"] = ZSet(given.get("rq:finished:q", {}))
    return Row(
        name,
        {"rq:job:a": job("started", **CLAIM), "postroom:held:w1": HELD, **given},
        complete(done("a"), keep=keep),
        Then(
            ["OK"],
            {"rq:job:a": lasting(500, job("finished", **ENDED, result=42)), **then},
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    )


def refused(where: str, key: str, **written: Any) -> Row:
    """A foreign key stands in the place of `key`; `written` comes before."""
    standing = {
        "rq:job:a": job("started", **CLAIM),
        "rq:wip:q": ZSet({"a:7": INF}),
        "postroom:held:w1": HELD,
        key: "oops",
    }
    return Row(
        f"a foreign key in the place of {where}: refused, and the job has not ended",
        standing,
        complete(done("a")),
        Then(Refused("WRONGTYPE"), {**standing, **written}),
        again=Then(Refused("WRONGTYPE")),
    )


ROWS = (
    Row(
        "a result is accepted; the claim's own entries go, the finished job has one",
        {
            "rq:job:a": job("started", **CLAIM),
            "rq:wip:q": ZSet({"a:7": INF, "b:8": INF}),
            "postroom:held:w1": {"@q": "1 7", "a:7": "q"},
            "postroom:leases": ZSet(w1=1005),
            "rq:finished:q": ZSet(x=1400),
        },
        complete(done("a")),
        Then(
            ["OK"],
            {
                "rq:job:a": lasting(500, job("finished", **ENDED, result=42)),
                "rq:wip:q": ZSet({"b:8": INF}),
                "postroom:held:w1": {"@q": "1 7"},
                "postroom:leases": ZSet(w1=1005),
                "rq:finished:q": ZSet(x=1400, a=1500),
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "of several jobs each has its own answer, and one event tells of those that were accepted",
        {
            "rq:job:a": job("started", **CLAIM),
            "rq:job:b": job("canceled", **CLAIM),
            "rq:job:c": job("started", **CLAIM),
            "rq:wip:q": ZSet({"a:7": INF, "b:7": INF, "c:7": INF}),
            "postroom:held:w1": {"a:7": "q", "b:7": "q", "c:7": "q"},
        },
        complete(done("a", "1"), done("b", "2"), done("c", "3", ttl=-1)),
        Then(
            ["OK", "STALE", "OK"],
            {
                "rq:job:a": lasting(500, job("finished", **ENDED, result=1)),
                "rq:job:b": job("canceled", **CLAIM),
                "rq:job:c": job("finished", **ENDED, result=3),
                "rq:finished:q": ZSet(a=1500, c=INF),
            },
            [event("finished", "a", "c")],
        ),
        again=Then(["ALREADY", "STALE", "ALREADY"]),
    ),
    Row(
        "its time ends by the server's clock",
        {"rq:job:a": job("started", **CLAIM)},
        complete(done("a"), now=""),
        Then(
            ["OK"],
            {
                "rq:job:a": lasting(500, job("finished", **ENDED, result=42)),
                "rq:finished:q": ZSet(a=FromNow(500)),
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    # How long it stays -----------------------------------------------------------------------------------------------
    Row(
        "kept a minute, it outlives every client's retries by itself",
        {"rq:job:a": job("started", **CLAIM)},
        complete(done("a", ttl=60)),
        Then(
            ["OK"],
            {"rq:job:a": lasting(60, job("finished", **ENDED, result=42)), "rq:finished:q": ZSet(a=1060)},
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "kept less than a minute, it leaves a tombstone",
        {"rq:job:a": job("started", **CLAIM, p_nonce="n1")},
        complete(done("a", ttl=30)),
        Then(
            ["OK"],
            {
                "rq:job:a": lasting(30, job("finished", **ENDED, result=42, p_nonce="n1")),
                "postroom:gone:a": lasting(60, "7 n1"),
                "rq:finished:q": ZSet(a=1030),
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "kept not at all, only the tombstone is left",
        {"rq:job:a": job("started", **CLAIM), "rq:wip:q": ZSet({"a:7": INF}), "postroom:held:w1": HELD},
        complete(done("a", ttl=0)),
        Then(["OK"], {"postroom:gone:a": lasting(60, "7 ")}, [event("finished", "a")]),
        again=Then(["ALREADY"]),
    ),
    Row(
        "kept for ever, it does not expire",
        {"rq:job:a": job("started", **CLAIM)},
        complete(done("a", ttl=-1)),
        Then(
            ["OK"],
            {"rq:job:a": job("finished", **ENDED, result=42), "rq:finished:q": ZSet(a=INF)},
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    # No more than `keep` of them -------------------------------------------------------------------------------------
    trimming(
        "no more than are to be kept: all stay",
        2,
        {"rq:finished:q": {"x": 1100}, "rq:job:x": job("finished", ended_at="A")},
        {"rq:finished:q": ZSet(x=1100, a=1500), "rq:job:x": job("finished", ended_at="A")},
    ),
    trimming(
        "one more: the one whose time is over first is forgotten, with its results, and no other",
        2,
        {
            "rq:finished:q": {"x": 1100, "y": 1200},
            "rq:job:x": job("finished", ended_at="A"),
            "rq:results:x": ["any"],
            "rq:job:y": job("finished", ended_at="A"),
        },
        {"rq:finished:q": ZSet(y=1200, a=1500), "rq:job:y": job("finished", ended_at="A")},
    ),
    trimming(
        "many more: two for each job that ends",
        1,
        {
            "rq:finished:q": {"x": 1100, "y": 1200, "z": 1300},
            **{f"rq:job:{job_id}": job("finished", ended_at="A") for job_id in "xyz"},
        },
        {"rq:finished:q": ZSet(z=1300, a=1500), "rq:job:z": job("finished", ended_at="A")},
    ),
    trimming(
        "none that ended just now: its enqueuer may still be asking",
        1,
        {
            "rq:finished:q": {"x": 1100, "y": 1200},
            "rq:job:x": job("finished", ended_at="C"),
            "rq:job:y": job("finished", ended_at="A"),
        },
        {
            "rq:finished:q": ZSet(x=1100, y=1200, a=1500),
            "rq:job:x": job("finished", ended_at="C"),
            "rq:job:y": job("finished", ended_at="A"),
        },
    ),
    trimming(
        "one that runs again has an entry too many, not a hash",
        2,
        {"rq:finished:q": {"x": 1100, "y": 1200}, "rq:job:x": job("queued", ended_at="A")},
        {"rq:finished:q": ZSet(y=1200, a=1500), "rq:job:x": job("queued", ended_at="A")},
    ),
    trimming(
        "of one that has expired only the entry is left",
        1,
        {"rq:finished:q": {"x": 1100}},
        {"rq:finished:q": ZSet(a=1500)},
    ),
    trimming(
        "what is no hash stays, its entry goes",
        1,
        {"rq:finished:q": {"x": 1100}, "rq:job:x": "oops"},
        {"rq:finished:q": ZSet(a=1500), "rq:job:x": "oops"},
    ),
    trimming(
        "one that does not say when it ended did not end just now",
        1,
        {"rq:finished:q": {"x": 1100}, "rq:job:x": job("finished")},
        {"rq:finished:q": ZSet(a=1500)},
    ),
    Row(
        "where nothing was accepted, nothing is trimmed",
        {
            "rq:job:a": job("finished", **ENDED),
            "rq:finished:q": ZSet(x=1100, a=1500),
            "rq:job:x": job("finished", ended_at="A"),
        },
        complete(done("a"), keep=1),
        Then(["ALREADY"]),
        again=Then(["ALREADY"]),
    ),
    Row(
        "where nothing is kept, nothing is trimmed, and nobody asks what stands there",
        {"rq:job:a": job("started", **CLAIM), "rq:finished:q": "oops"},
        complete(done("a", ttl=0)),
        Then(["OK"], {"postroom:gone:a": lasting(60, "7 "), "rq:finished:q": "oops"}, [event("finished", "a")]),
        again=Then(["ALREADY"]),
    ),
    # Mistakes that are nobody's job ----------------------------------------------------------------------------------
    refused("the finished jobs", "rq:finished:q"),
    refused("the running jobs", "rq:wip:q", **{"rq:finished:q": ZSet(a=1500)}),
    Row(
        "a foreign key in the place of what the process holds: refused, and the job has not ended",
        {"rq:job:a": job("started", **CLAIM), "rq:wip:q": ZSet({"a:7": INF}), "postroom:held:w1": "oops"},
        complete(done("a")),
        Then(
            Refused("WRONGTYPE"),
            {"rq:job:a": job("started", **CLAIM), "rq:finished:q": ZSet(a=1500), "postroom:held:w1": "oops"},
        ),
        again=Then(Refused("WRONGTYPE")),
    ),
    *fence_rows(complete(done("a"))),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_complete(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
