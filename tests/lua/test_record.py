"""The record of events: each transition stands there once, in the script that makes it, while somebody asks for it."""

from typing import Any

import pytest

from tests.lua.table import Call, Refused, Row, Stream, Table, Then, ZSet, event, job, lasting
from tests.lua.test_bury import bury, dead
from tests.lua.test_bury import told as buried
from tests.lua.test_claim import JOINED, claim, ours, taken, taking
from tests.lua.test_enqueue import enqueue, new
from tests.lua.test_join import join
from tests.lua.test_promote import promote
from tests.lua.test_release import release

INF = float("inf")
CLAIM: dict[str, Any] = {"worker_name": "w1", "p_token": 7}
ON = {"postroom:recording": lasting(900, "5-0")}
HELD: dict[str, Any] = {
    "rq:job:a": job("started", **CLAIM),
    "rq:wip:q": ZSet({"a:7": INF}),
    "postroom:held:w1": {"a:7": "q"},
}
"""Job a, in the hands of w1."""


def entry(name: str, *ids: str, queue: str = "q", worker: str = "") -> dict[str, str]:
    """One entry."""
    return {"event": name, "queue": queue, "ids": " ".join(ids), "worker": worker}


def on(*entries: dict[str, str]) -> dict[str, Any]:
    """The record is kept, and these are on it."""
    return {**ON, "postroom:record": Stream(entries)}


def pause(what: str) -> Call:
    """One call."""
    return Call("pause", {"event": what})


def progress(told: str, token: int = 7) -> Call:
    """One call of w1 for job a."""
    return Call("progress", {"token": token, "told": told})


def retry(delay: int) -> Call:
    """One call of w1 for job a."""
    return Call("retry", {}, ["a", 7, delay, "back", "", 2, "p:attempt", 1])


def complete(*ids: str) -> Call:
    """One call of w1."""
    jobs = [part for job_id in ids for part in (job_id, 7, "1", "S", "E", 500, "")]
    return Call("complete", {"keep": 10, "trim_before": ""}, jobs)


DONE = {"started_at": "S", "ended_at": "E", "result": "1"}

RECORDED = (
    Row(
        "enqueue: one entry for all of them",
        ON,
        enqueue(new("a"), new("b")),
        Then(
            [1, 1],
            {
                "rq:queues": {"rq:queue:q"},
                "rq:queue:q": ["a", "b"],
                "rq:job:a": job("queued"),
                "rq:job:b": job("queued"),
                **on(entry("enqueued", "a", "b")),
            },
        ),
        again=Then([0, 0]),
    ),
    Row(
        "enqueue: of those that are new, and they are scheduled",
        {**ON, "rq:job:a": job("scheduled")},
        enqueue(new("a"), new("b"), where="scheduled", due=1010),
        Then(
            [0, 1],
            {
                "rq:queues": {"rq:queue:q"},
                "rq:scheduled:q": ZSet(b=1010),
                "rq:job:a": job("scheduled"),
                "rq:job:b": job("scheduled"),
                **on(entry("scheduled", "b")),
            },
        ),
        again=Then([0, 0]),
    ),
    Row(
        "promote: they are on the list now",
        {**ON, "rq:scheduled:q": ZSet(a=999, b=999), "rq:job:a": job("scheduled"), "rq:job:b": job("canceled")},
        promote(),
        Then(
            2,
            {
                "rq:queue:q": ["a"],
                "rq:job:a": job("queued", enqueued_at="1970-01-01T00:16:40.000000Z"),
                "rq:job:b": job("canceled"),
                **on(entry("enqueued", "a")),
            },
        ),
        again=Then(0),
    ),
    Row(
        "promote: what stands there was canceled",
        {**ON, "rq:scheduled:q": ZSet(b=999), "rq:job:b": job("canceled")},
        promote(),
        Then(1, {**ON, "rq:job:b": job("canceled")}),
        again=Then(0),
    ),
    Row(
        "claim: what was taken; a replay takes nothing",
        {**ON, "rq:queue:q": ["x", "a"], "rq:job:a": job("queued"), **JOINED},
        claim(),
        Then(["8", ours("a")], taking("a", **{"rq:job:a": taken(), **on(entry("started", "a", worker="w1"))})),
        again=Then(["8", ours("a", "started")]),
    ),
    Row(
        "complete: what was accepted",
        {**HELD, **ON, "rq:job:b": job("canceled", **CLAIM)},
        complete("a", "b"),
        Then(
            ["OK", "STALE"],
            {
                "rq:job:a": lasting(500, job("finished", **CLAIM, **DONE)),
                "rq:job:b": job("canceled", **CLAIM),
                "rq:finished:q": ZSet(a=1500),
                **on(entry("finished", "a", worker="w1")),
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY", "STALE"]),
    ),
    Row(
        "complete: a dependent is on its queue's list now",
        {
            **HELD,
            **ON,
            "rq:job:d": job("deferred", origin="r"),
            "rq:job:a:dependents": {"d"},
            "rq:deferred:r": ZSet(d=1),
        },
        complete("a"),
        Then(
            ["OK"],
            {
                "rq:job:a": lasting(500, job("finished", **CLAIM, **DONE)),
                "rq:finished:q": ZSet(a=1500),
                "rq:job:d": job("queued", origin="r", enqueued_at="1970-01-01T00:16:40.000000Z"),
                "rq:queue:r": ["d"],
                "rq:queues": {"rq:queue:r"},
                **on(entry("finished", "a", worker="w1"), entry("enqueued", "d", queue="r")),
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "bury: there and in the stream of burials",
        {**HELD, **ON},
        bury(dead("a", ttl=0)),
        Then(
            ["OK"],
            {
                "postroom:gone:a": lasting(60, "7 "),
                "postroom:dead": buried("a"),
                **on(entry("buried", "a", worker="w1")),
            },
            [event("buried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "retry: it will be tried again",
        {**HELD, **ON},
        retry(60),
        Then(
            ["OK"],
            {
                "rq:scheduled:q": ZSet(a=1060),
                "rq:job:a": job("scheduled", **CLAIM, p_attempt=1),
                **on(entry("retried", "a", worker="w1")),
            },
            [event("retried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "release: those that went back, in their order",
        {
            **ON,
            **{f"rq:job:{name}": job("started", **CLAIM) for name in "ac"},
            "rq:job:b": job("canceled", **CLAIM),
        },
        release("a", "b", "c"),
        Then(
            ["OK", "STALE", "OK"],
            {
                "rq:queue:q": ["a", "c"],
                "rq:job:a": job("queued", **CLAIM),
                "rq:job:b": job("canceled", **CLAIM),
                "rq:job:c": job("queued", **CLAIM),
                **on(entry("released", "a", "c", worker="w1")),
            },
        ),
        again=Then(["ALREADY", "STALE", "ALREADY"]),
    ),
    Row(
        "recover: jobs and their worker",
        {**HELD, **ON, "postroom:leases": ZSet(w1=999, w2=1009)},
        Call("recover", {}),
        Then(
            ["a"],
            {
                "rq:queue:q": ["a"],
                "rq:job:a": job("queued", worker_name="w1", p_redelivered=1, enqueued_at="1970-01-01T00:16:40.000000Z"),
                "postroom:leases": ZSet(w2=1009),
                **on(entry("recovered", "a", worker="w1"), entry("worker-down", queue="", worker="w1")),
            },
            [event("recovered", "a")],
        ),
        again=Then([]),
    ),
    Row(
        "cancel: by whom it was run",
        {**ON, "rq:job:a": job("started", **CLAIM)},
        Call("cancel", {}),
        Then(
            ["started", 0],
            {
                "rq:canceled:q": ZSet(a=1000),
                "rq:job:a": job("canceled", **CLAIM, ended_at="1970-01-01T00:16:40.000000Z"),
                **on(entry("canceled", "a", worker="w1")),
            },
            [event("canceled", "a")],
            [("w1", "a")],
        ),
        again=Then(["canceled", 0]),
    ),
    Row(
        "join: a worker is there; a second word begins nothing",
        ON,
        join("q", 0),
        Then(
            None,
            {
                "postroom:leases": ZSet(w1=1012),
                "postroom:held:w1": {"@q": "0 0"},
                **on(entry("worker-up", queue="", worker="w1")),
            },
        ),
        again=Then(None),
    ),
    Row(
        "something else stands in the record's place: the job's life goes on",
        {**HELD, **ON, "postroom:record": "oops"},
        complete("a"),
        Then(
            ["OK"],
            {
                "rq:job:a": lasting(500, job("finished", **CLAIM, **DONE)),
                "rq:finished:q": ZSet(a=1500),
                **ON,
                "postroom:record": "oops",
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
)

PAUSES = (
    Row(
        "a queue is paused",
        {**ON, "postroom:paused": {"r"}},
        pause("paused"),
        Then(1, {"postroom:paused": {"q", "r"}, **on(entry("paused"))}),
        again=Then(0),
    ),
    Row(
        "and resumed",
        {**ON, "postroom:paused": {"q", "r"}},
        pause("resumed"),
        Then(1, {"postroom:paused": {"r"}, **on(entry("resumed"))}),
        again=Then(0),
    ),
    Row("nobody listens", {}, pause("paused"), Then(1, {"postroom:paused": {"q"}}), again=Then(0)),
    Row(
        "a foreign key in the place of the paused queues",
        {"postroom:paused": "oops"},
        pause("paused"),
        Then(Refused("WRONGTYPE")),
        again=Then(Refused("WRONGTYPE")),
    ),
)

LATE: dict[str, dict[str, Any]] = {
    "another claim's": {"rq:job:a": job("started", worker_name="w1", p_token=8)},
    "it was recovered": {"rq:job:a": job("queued", worker_name="w1")},
    "gone": {},
    "foreign": {"rq:job:a": "oops"},
}

PROGRESS = (
    Row(
        "a job that runs",
        {**ON, "rq:job:a": job("started", **CLAIM, p_progress="[1,9]")},
        progress("[2,9]"),
        Then(
            1,
            {"rq:job:a": job("started", **CLAIM, p_progress="[2,9]"), **on(entry("progress", "a", worker="w1"))},
        ),
        again=Then(0),
    ),
    Row(
        "its last word, when it has ended",
        {**ON, "rq:job:a": lasting(500, job("finished", **CLAIM))},
        progress("[9,9]"),
        Then(1, {"rq:job:a": lasting(500, job("finished", **CLAIM, p_progress="[9,9]")), **ON}),
        again=Then(0),
    ),
    *(
        Row(f"a late word: {name}", {**ON, **standing}, progress("[1,9]"), Then(0), again=Then(0))
        for name, standing in LATE.items()
    ),
)


ROWS = (*RECORDED, *PAUSES, *PROGRESS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.when.script}: {row.name}")
def test_record(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
