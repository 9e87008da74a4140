"""enqueue_keyed.lua: new jobs that are unique. A lock holds as long as the hash of the job that took it says so."""

from typing import Any

import pytest

from tests.lua.table import AT, Call, Refused, Row, Table, Then, ZSet, job

LOCKS = "postroom:unique"
INF = float("inf")
QUEUES = {"rq:queue:q"}


def enqueue(
    *jobs: tuple[str, str], scope: Any = "running", now: Any = 1000, where: str = "back", key: str = ""
) -> Call:
    """One call: id and lock of each job."""
    common = [part for name, value in job("queued").items() if name != "data" for part in (name, value)]
    args = {"where": where, "due": "", "delay": "", "now": now, "scope": scope, "count": len(common)}
    return Call("enqueue_keyed", args, [*common, *(part for one, lock in jobs for part in (one, "", "[]", key, lock))])


def owner(status: str | None, scope: Any = "running", **fields: Any) -> dict[str, str]:
    """The hash of a job that took the lock l."""
    return job(status, p_unique=f"{scope} l", **fields)


def held(name: str, scope: Any, given: dict[str, Any]) -> Row:
    """Job x holds the lock: nothing is written, x is the answer."""
    return Row(
        f"{name}, {scope}: held",
        {LOCKS: {"l": "x"}, **given},
        enqueue(("a", "l"), scope=scope),
        Then(["x"]),
        again=Then(["x"]),
    )


def free(name: str, scope: Any, given: dict[str, Any]) -> Row:
    """Job x took the lock, and holds it no more: a takes it."""
    until = 1000 + scope if isinstance(scope, int) else scope
    return Row(
        f"{name}, {scope}: free",
        {LOCKS: {"l": "x"}, **given},
        enqueue(("a", "l"), scope=scope),
        Then(
            [1],
            {**given, LOCKS: {"l": "a"}, "rq:queues": QUEUES, "rq:queue:q": ["a"], "rq:job:a": owner("queued", until)},
        ),
        again=Then([0]),
    )


def x(status: str | None, scope: Any, **fields: Any) -> dict[str, Any]:
    """Job x, as it stands."""
    return {"rq:job:x": owner(status, scope, **fields)}


CANCELED: dict[str, Any] = {"worker_name": "w1", "p_token": 7}
DEAD = {"rq:failed:q": ZSet(x=-1)}

ROWS = (
    *(
        held(s, scope, x(s, scope))
        for s in ("queued", "created", "scheduled", "deferred")
        for scope in ("queued", "running", "success")
    ),
    free("started", "queued", x("started", "queued")),
    held("started", "running", x("started", "running")),
    held("started", "success", x("started", "success")),
    *(
        free(s, scope, x(s, scope))
        for s in ("finished", "canceled", "stopped")
        for scope in ("queued", "running", "success")
    ),
    free("a dead letter", "running", {**x("failed", "running"), **DEAD}),
    held("a dead letter", "success", {**x("failed", "success"), **DEAD}),
    free("a purged dead letter", "success", x("failed", "success")),
    free(
        "a foreign key in the place of the dead letters", "success", {**x("failed", "success"), "rq:failed:q": "oops"}
    ),
    held(
        "canceled, in its worker's hands",
        "running",
        {**x("canceled", "running", **CANCELED), "rq:wip:q": ZSet({"x:7": INF})},
    ),
    free(
        "canceled, in its worker's hands",
        "queued",
        {**x("canceled", "queued", **CANCELED), "rq:wip:q": ZSet({"x:7": INF})},
    ),
    free("canceled, out of its worker's hands", "running", x("canceled", "running", **CANCELED)),
    *(free("deleted, or expired", scope, {}) for scope in ("queued", "running", "success", 60)),
    free("what stands there is no hash", "running", {"rq:job:x": "oops"}),
    free("another job of that id, without a lock", "running", {"rq:job:x": job("queued")}),
    free("another job of that id, with another lock", "running", {"rq:job:x": job("queued", p_unique="running m")}),
    free("rubbish in its field", "running", {"rq:job:x": job("queued", p_unique="l")}),
    Row(
        "within its window: held, whatever became of it",
        {LOCKS: {"l": "x"}, **x("finished", 1001)},
        enqueue(("a", "l"), scope=60),
        Then(["x"]),
        again=Then(["x"]),
    ),
    Row(
        "its window is over, though it still runs: free",
        {LOCKS: {"l": "x"}, **x("started", 1000)},
        enqueue(("a", "l"), scope=60),
        Then(
            [1],
            {
                **x("started", 1000),
                LOCKS: {"l": "a"},
                "rq:queues": QUEUES,
                "rq:queue:q": ["a"],
                "rq:job:a": owner("queued", 1060),
            },
        ),
        again=Then([0]),
    ),
    Row(
        "canceled within its window: free",
        {LOCKS: {"l": "x"}, **x("canceled", 1001)},
        enqueue(("a", "l"), scope=60),
        Then(
            [1],
            {
                **x("canceled", 1001),
                LOCKS: {"l": "a"},
                "rq:queues": QUEUES,
                "rq:queue:q": ["a"],
                "rq:job:a": owner("queued", 1060),
            },
        ),
        again=Then([0]),
    ),
    Row(
        "several at once: the first of a lock takes it, others of it are told so; who has none goes on",
        {},
        enqueue(("a", "l"), ("b", "l"), ("c", ""), ("d", "m d")),
        Then(
            [1, "a", 1, 1],
            {
                LOCKS: {"l": "a", "m d": "d"},
                "rq:queues": QUEUES,
                "rq:queue:q": ["a", "c", "d"],
                "rq:job:a": owner("queued"),
                "rq:job:c": job("queued"),
                "rq:job:d": job("queued", p_unique="running m d"),
            },
        ),
        again=Then([0, "a", 0, 0]),
    ),
    Row(
        "with a key, too: a duplicate takes no place in the line",
        {},
        enqueue(("a", "l"), ("b", "l"), ("c", "m"), key="k"),
        Then(
            [1, "a", 1],
            {
                LOCKS: {"l": "a", "m": "c"},
                "rq:queues": QUEUES,
                "rq:queue:q": ["a"],
                "rq:deferred:q": ZSet(c=1000),
                "rq:job:a": owner("queued", p_key="k", p_turn=AT),
                "rq:job:c": job("deferred", p_unique="running m", p_key="k", p_due=""),
                "postroom:key:k": ZSet(a=1, c=2),
                "postroom:keys": ZSet(k=1000),
            },
        ),
        again=Then([0, "a", 0]),
    ),
    Row(
        "a lock whose job has ended goes when another is taken",
        {LOCKS: {"m": "gone"}},
        enqueue(("a", "n")),
        Then(
            [1],
            {
                LOCKS: {"n": "a"},
                "rq:queues": QUEUES,
                "rq:queue:q": ["a"],
                "rq:job:a": job("queued", p_unique="running n"),
            },
        ),
        again=Then([0]),
    ),
    Row(
        "one that holds stays then",
        {LOCKS: {"l": "x"}, **x("queued", "running")},
        enqueue(("a", "n")),
        Then(
            [1],
            {
                **x("queued", "running"),
                LOCKS: {"l": "x", "n": "a"},
                "rq:queues": QUEUES,
                "rq:queue:q": ["a"],
                "rq:job:a": job("queued", p_unique="running n"),
            },
        ),
        again=Then([0]),
    ),
    Row(
        "a foreign key in the place of the locks: refused, with nothing written",
        {LOCKS: "oops"},
        enqueue(("a", "l")),
        Then(Refused("WRONGTYPE")),
        again=Then(Refused("WRONGTYPE")),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_unique(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
