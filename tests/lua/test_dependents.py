"""lib/dependents.lua, by complete and bury: job a ends, and c of queue r waits for it."""

from typing import Any

import pytest

from tests.lua.table import AT, Call, Refused, Row, Stream, Table, Then, ZSet, event, job, lasting, rq_job

STARTED = job("started", worker_name="w1", p_token=7)
FINISHED = lasting(500, job("finished", worker_name="w1", p_token=7, started_at="S", ended_at="E", result=42))
FAILED = lasting(
    900,
    job("failed", worker_name="w1", p_token=7, started_at="S", ended_at="E", p_reason="R", exc_info="T", p_attempt=3),
)
COMPLETE = Call("complete", {"keep": 100, "trim_before": "B"}, ["a", 7, "42", "S", "E", 500, ""])
FIELDS = ["p:reason", "R", "exc_info", "T", "started_at", "S", "ended_at", "E", "p:attempt", 3]
BURY = Call("bury", {}, ["a", 7, 900, "", "", len(FIELDS), *FIELDS])


def deferred(**fields: Any) -> dict[str, str]:
    """Job c, as RQ defers it."""
    return rq_job("deferred", **{"origin": "r", **fields})


WAITING = {
    "rq:job:c": deferred(),
    "rq:deferred:r": ZSet(c=900),
    "rq:job:a:dependents": {"c"},
    "rq:job::c:dependencies": {"a"},
}


def ends(name: str, given: dict[str, Any], then: dict[str, Any], *, fails: bool = False) -> Row:
    """Job a ends."""
    call, reply = (BURY, event("buried", "a")) if fails else (COMPLETE, event("finished", "a"))
    told = {"rq:failed:q": ZSet(a=1900), "postroom:dead": Stream([{"queue": "q", "task": "", "jobs": '["a"]'}])}
    entry: dict[str, Any] = told if fails else {"rq:finished:q": ZSet(a=1500)}
    return Row(
        name,
        {"rq:job:a": STARTED, **given},
        call,
        Then(["OK"], {"rq:job:a": FAILED if fails else FINISHED, **entry, **then}, [reply]),
        again=Then(["ALREADY"]),
    )


def waits_on(name: str, other: dict[str, Any], *, fails: bool = False, **fields: Any) -> Row:
    """Job a ends, and c goes on waiting for it or for b."""
    waiting = {
        **other,
        "rq:job:c": deferred(**fields),
        "rq:deferred:r": ZSet(c=900),
        "rq:job:a:dependents": {"c"},
        "rq:job::c:dependencies": {"a", "b"} if other else {"a"},
    }
    return ends(name, waiting, waiting, fails=fails)


def goes_on(name: str, other: dict[str, Any], *, fails: bool = False, **fields: Any) -> Row:
    """Job a ends, and c is enqueued."""
    dependencies = {"a", "b"} if other else {"a"}
    return ends(
        name,
        {
            **other,
            "rq:queues": {"rq:queue:q"},
            "rq:queue:r": ["x"],
            "rq:job:c": deferred(**fields),
            "rq:deferred:r": ZSet(c=900, d=900),
            "rq:job:a:dependents": {"c"},
            "rq:job::c:dependencies": dependencies,
        },
        {
            **other,
            "rq:queues": {"rq:queue:q", "rq:queue:r"},
            "rq:queue:r": ["x", "c"],
            "rq:job:c": rq_job("queued", **{"origin": "r", **fields}, enqueued_at=AT),
            "rq:deferred:r": ZSet(d=900),
            "rq:job::c:dependencies": dependencies,
        },
        fails=fails,
    )


ROWS = (
    goes_on("its only dependency has finished: it is enqueued", {}),
    goes_on("the other has finished, too", {"rq:job:b": job("finished")}),
    goes_on("the other was deleted: that counts as met", {"rq:job:b:dependents": {"c"}}),
    goes_on("the other failed, and that is allowed", {"rq:job:b": job("failed")}, allow_dependency_failures=1),
    goes_on("it failed, and that is allowed", {}, fails=True, allow_dependency_failures=1),
    waits_on("it failed, and that is not allowed", {}, fails=True, allow_dependency_failures=0),
    waits_on("the other failed, and that is not allowed", {"rq:job:b": job("failed")}, allow_dependency_failures=0),
    *(
        waits_on(f"the other is {status}", {"rq:job:b": job(status)}, allow_dependency_failures=1)
        for status in ("queued", "started", "scheduled", "canceled", "deferred")
    ),
    waits_on("what stands in the other's place is no hash", {"rq:job:b": "oops"}),
    waits_on("the dependent does not say of which queue it is", {}, origin=None),
    ends(
        "enqueue_at_front: it goes to the head",
        {
            "rq:queue:r": ["x"],
            "rq:job:c": deferred(enqueue_at_front=1),
            "rq:deferred:r": ZSet(c=900),
            "rq:job:a:dependents": {"c"},
            "rq:job::c:dependencies": {"a"},
        },
        {
            "rq:queues": {"rq:queue:r"},
            "rq:queue:r": ["c", "x"],
            "rq:job:c": rq_job("queued", origin="r", enqueue_at_front=1, enqueued_at=AT),
            "rq:job::c:dependencies": {"a"},
        },
    ),
    ends(
        "a foreign key in the place of who waits for it: nobody does",
        {"rq:job:c": deferred(), "rq:job:a:dependents": "oops", "rq:job::c:dependencies": {"a"}},
        {"rq:job:c": deferred(), "rq:job:a:dependents": "oops", "rq:job::c:dependencies": {"a"}},
    ),
    ends(
        "a foreign key in the place of what it waits for: it waits",
        {"rq:job:c": deferred(), "rq:job:a:dependents": {"c"}, "rq:job::c:dependencies": "oops"},
        {"rq:job:c": deferred(), "rq:job:a:dependents": {"c"}, "rq:job::c:dependencies": "oops"},
    ),
    Row(
        "a foreign key in the place of its list: refused; the job has ended, which was told, and c still waits",
        {"rq:job:a": STARTED, "rq:queue:r": "oops", **WAITING},
        COMPLETE,
        Then(
            Refused("WRONGTYPE"),
            {"rq:job:a": FINISHED, "rq:finished:q": ZSet(a=1500), "rq:queue:r": "oops", **WAITING},
            [event("finished", "a")],
        ),
        again=Then(Refused("WRONGTYPE")),
    ),
    ends(
        "no longer deferred, deleted or no hash at all: it waits no more",
        {"rq:job:c": rq_job("queued"), "rq:job:e": "oops", "rq:job:a:dependents": {"c", "d", "e"}},
        {"rq:job:c": rq_job("queued"), "rq:job:e": "oops"},
    ),
    ends(
        "it failed, and the other no longer waits",
        {"rq:job:c": rq_job("queued"), "rq:job:a:dependents": {"c"}},
        {"rq:job:c": rq_job("queued")},
        fails=True,
    ),
    Row(
        "both its dependencies end in one call",
        {
            "rq:job:a": STARTED,
            "rq:job:b": STARTED,
            "rq:job:c": deferred(),
            "rq:deferred:r": ZSet(c=900),
            "rq:job:a:dependents": {"c"},
            "rq:job:b:dependents": {"c"},
            "rq:job::c:dependencies": {"a", "b"},
        },
        Call(COMPLETE.script, COMPLETE.args, [*COMPLETE.jobs, "b", *COMPLETE.jobs[1:]]),
        Then(
            ["OK", "OK"],
            {
                "rq:job:a": FINISHED,
                "rq:job:b": FINISHED,
                "rq:finished:q": ZSet(a=1500, b=1500),
                "rq:queues": {"rq:queue:r"},
                "rq:queue:r": ["c"],
                "rq:job:c": rq_job("queued", origin="r", enqueued_at=AT),
                "rq:job::c:dependencies": {"a", "b"},
            },
            [event("finished", "a", "b")],
        ),
        again=Then(["ALREADY", "ALREADY"]),
    ),
    Row(
        "a claim that is not accepted enqueues nobody",
        {
            "rq:job:a": job("canceled", worker_name="w1", p_token=7),
            "rq:job:c": deferred(),
            "rq:job:a:dependents": {"c"},
            "rq:job::c:dependencies": {"a"},
        },
        COMPLETE,
        Then(["STALE"]),
        again=Then(["STALE"]),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_dependents(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
