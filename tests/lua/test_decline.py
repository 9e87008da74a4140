"""decline.lua: a job that its worker's code cannot run waits for one whose code can."""

from typing import Any

import pytest

from tests.lua.fence import fence_rows
from tests.lua.table import Call, FromNow, Refused, Row, Table, Then, ZSet, event, job

INF = float("inf")
CLAIM: dict[str, Any] = {"worker_name": "w1", "p_token": 7}
TASK, MESSAGE = "task shop.x", "message m of version 3, which needs a reader of version 2"


def of_task(job_id: str, latest: float = 300) -> list[Any]:
    """One job as the script takes it, of a task that its worker does not know."""
    return [job_id, 7, "shop.x", "", TASK, latest]


def of_message(job_id: str) -> list[Any]:
    """One with a message that its worker may not read."""
    return [job_id, 7, "m", 2, MESSAGE, 300]


def decline(*jobs: list[Any], now: Any = 1000) -> Call:
    """One call."""
    return Call("decline", {"often": 5, "rarely": 300, "now": now}, [part for one in jobs for part in one])


def takers(**said: Any) -> dict[str, Any]:
    """Workers that take the queue, each with the digest that it has announced."""
    hashes = {f"rq:worker:{name}": {"p:queues": "q", "p:tasks": digest} for name, digest in said.items()}
    return {"rq:workers:q": {*hashes}, **hashes}


def goes(name: str, others: dict[str, Any], one: list[Any], *, soon: bool) -> Row:
    """A job of w1, which stands among the declined ones then, or is asked for again soon."""
    why = one[4]
    place = {"rq:scheduled:q": ZSet(a=1005)} if soon else {"postroom:declined:q": ZSet(a=1000)}
    return Row(
        name,
        {**others, "rq:job:a": job("started", **CLAIM)},
        decline(one),
        Then(
            ["OK"],
            {**others, **place, "rq:job:a": job("scheduled", **CLAIM, p_waits=why)},
            [event("declined", "a")],
        ),
        again=Then(["ALREADY"]),
    )


KNOWN = {"postroom:tasks:d1": {"other"}, "postroom:tasks:d2": {"shop.x", "m 2", "n"}, "postroom:tasks:d3": {"m 10"}}
ROWS = (
    Row(
        "nobody can run it: it leaves the worker's hands, and stands among the declined ones, without an attempt",
        {
            "rq:queue:q": ["x"],
            "rq:job:a": job("started", **CLAIM, p_attempt=1, enqueued_at="Q"),
            "rq:wip:q": ZSet({"a:7": INF, "b:8": INF}),
            "postroom:held:w1": {"@q": "1 7", "a:7": "q", "b:8": "q"},
            "postroom:declined:q": ZSet(x=900),
        },
        decline(of_task("a")),
        Then(
            ["OK"],
            {
                "rq:queue:q": ["x"],
                "rq:job:a": job("scheduled", **CLAIM, p_attempt=1, enqueued_at="Q", p_waits=TASK),
                "rq:wip:q": ZSet({"b:8": INF}),
                "postroom:held:w1": {"@q": "1 7", "b:8": "q"},
                "postroom:declined:q": ZSet(x=900, a=1000),
            },
            [event("declined", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "by the server's clock",
        {"rq:job:a": job("started", **CLAIM)},
        decline(of_task("a"), now=""),
        Then(
            ["OK"],
            {
                "postroom:declined:q": ZSet(a=FromNow(0)),
                "rq:job:a": job("scheduled", **CLAIM, p_waits=TASK),
            },
            [event("declined", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "it was declined for this before: that is no news; for something else, it is",
        {
            "rq:job:a": job("started", **CLAIM, p_waits=TASK),
            "rq:job:b": job("started", **CLAIM, p_waits=TASK),
            "rq:job:c": job("canceled", **CLAIM),
        },
        decline(of_task("a"), of_message("b"), of_task("c")),
        Then(
            ["OK", "OK", "STALE"],
            {
                "postroom:declined:q": ZSet(a=1000, b=1000),
                "rq:job:a": job("scheduled", **CLAIM, p_waits=TASK),
                "rq:job:b": job("scheduled", **CLAIM, p_waits=MESSAGE),
                "rq:job:c": job("canceled", **CLAIM),
            },
            [event("declined", "b")],
        ),
        again=Then(["ALREADY", "ALREADY", "STALE"]),
    ),
    goes("a live worker knows its task", {**KNOWN, **takers(w1="d1", w2="d2")}, of_task("a"), soon=True),
    goes("a live worker reads its message", {**KNOWN, **takers(w1="d1", w2="d2")}, of_message("a"), soon=True),
    goes("one reads newer ones", {**KNOWN, **takers(w3="d3")}, of_message("a"), soon=True),
    goes("one that takes other queues", {**KNOWN, "rq:worker:w2": {"p:tasks": "d2"}}, of_task("a"), soon=False),
    goes("those that live know neither", {**KNOWN, **takers(w1="d1", w3="d3")}, of_task("a"), soon=False),
    goes(
        "older versions only",
        {"postroom:tasks:d2": {"m 1", "m", "om 2", "m2"}, **takers(w2="d2")},
        of_message("a"),
        soon=False,
    ),
    goes(
        "RQ's workers say nothing; nor does what is foreign, or gone",
        {
            **takers(w2="d2", w3="d3"),
            "rq:workers:q": {"rq:worker:w2", "rq:worker:w3", "rq:worker:w4", "rq:worker:w5", "rq:worker:rq"},
            "rq:worker:w4": "oops",
            "rq:worker:rq": {"queues": "q"},
            "postroom:tasks:d2": "oops",
        },
        of_message("a"),
        soon=False,
    ),
    goes(
        "what is foreign knows no task",
        {**takers(w2="d2"), "postroom:tasks:d2": "oops"},
        of_task("a"),
        soon=False,
    ),
    Row(
        "its day is over before that: it is asked for again when it is",
        {"rq:job:a": job("started", **CLAIM), "rq:job:b": job("started", **CLAIM)},
        decline(of_task("a", latest=299), of_task("b", latest=1000)),
        Then(
            ["OK", "OK"],
            {
                "rq:scheduled:q": ZSet(a=1299),
                "postroom:declined:q": ZSet(b=1000),
                "rq:job:a": job("scheduled", **CLAIM, p_waits=TASK),
                "rq:job:b": job("scheduled", **CLAIM, p_waits=TASK),
            },
            [event("declined", "a", "b")],
        ),
        again=Then(["ALREADY", "ALREADY"]),
    ),
    *(
        Row(
            f"a foreign key in the place of {key}: refused, and the job is still held",
            {
                **KNOWN,
                **others,
                key: "oops",
                "rq:job:a": job("started", **CLAIM),
                "rq:wip:q": ZSet({"a:7": INF}),
                "postroom:held:w1": {"a:7": "q"},
            },
            decline(of_task("a")),
            Then(Refused("WRONGTYPE")),
            again=Then(Refused("WRONGTYPE")),
        )
        for key, others in (
            ("postroom:declined:q", {}),
            ("rq:workers:q", {}),
            ("rq:scheduled:q", takers(w2="d2")),
        )
    ),
    *fence_rows(decline(of_task("a"))),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_decline(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
