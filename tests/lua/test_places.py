"""The places of limits in all scripts in which a job leaves a worker's hands, or its queue: the next one gets it."""

from typing import Any

import pytest

from tests.lua.limits import BUSY, DUE, LINED, PLACES, RATE, limited, parked, rule, woken
from tests.lua.table import AT, Call, FromNow, Row, Table, Then, ZSet, event, lasting
from tests.lua.test_bury import bury, dead, told
from tests.lua.test_cancel import cancel
from tests.lua.test_claim import JOINED, claim
from tests.lua.test_complete import complete, done
from tests.lua.test_decline import TASK, decline, of_task
from tests.lua.test_delete import DELETE
from tests.lua.test_recover import recover
from tests.lua.test_release import release
from tests.lua.test_retry import failed, retry

INF = float("inf")
CLAIM: dict[str, Any] = {"worker_name": "w1", "p_token": 7}
HANDS: dict[str, Any] = {"rq:wip:q": ZSet({"a:7": INF}), "postroom:held:w1": {"a:7": "q"}}
"""Job a, in the hands of w1."""
ENDED = {**CLAIM, "started_at": "S", "ended_at": "E"}
DEAD: dict[str, Any] = {"p_reason": "R", "p_attempt": 3}


def leaves(name: str, call: Call, given: dict[str, Any], then: Then, again: Then) -> Row:
    """Job a, which has the only place, leaves it; b gets it on its own queue, c waits on."""
    line = {**parked("b", queue="x"), **parked("c", since=950.0), LINED: ZSet(b=900.000001, c=950.000001)}
    after = {"rq:job:b": woken(origin="x"), "rq:queue:x": ["b"], LINED: ZSet(c=950.000001), PLACES: ZSet(b=1000)}
    left = {**line, **rule(1), BUSY: ZSet(r=990), **after, **(then.space or {})}
    del left["rq:deferred:x"]
    return Row(
        f"{name}: the next one gets its place",
        {**line, **rule(1), PLACES: ZSet(a=900), BUSY: ZSet(r=990), **given},
        call,
        Then(then.reply, left, then.events, then.told),
        again=again,
    )


RUNNING = {"rq:job:a": limited("started", **CLAIM), **HANDS}

ROWS = (
    leaves(
        "finished",
        complete(done("a")),
        RUNNING,
        Then(
            ["OK"],
            {"rq:job:a": lasting(500, limited("finished", **ENDED, result=42)), "rq:finished:q": ZSet(a=1500)},
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    leaves(
        "canceled in a worker's hands, which lets go of it",
        complete(done("a")),
        {"rq:job:a": limited("canceled", **CLAIM), **HANDS},
        Then(["STALE"], {"rq:job:a": limited("canceled", **CLAIM)}),
        again=Then(["STALE"]),
    ),
    leaves(
        "buried",
        bury(dead("a", ttl=-1)),
        RUNNING,
        Then(
            ["OK"],
            {
                "rq:job:a": limited("failed", **ENDED, **DEAD, exc_info="T"),
                "rq:failed:q": ZSet(a=-1),
                "postroom:dead": told("a"),
            },
            [event("buried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    leaves(
        "to be tried again later",
        retry(failed("a", delay=60)),
        RUNNING,
        Then(
            ["OK"],
            {"rq:job:a": limited("scheduled", **CLAIM, p_attempt=1, exc_info="T"), "rq:scheduled:q": ZSet(a=1060)},
            [event("retried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    leaves(
        "declined",
        decline(of_task("a")),
        RUNNING,
        Then(
            ["OK"],
            {"rq:job:a": limited("scheduled", **CLAIM, p_waits=TASK), "postroom:declined:q": ZSet(a=1000)},
            [event("declined", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    leaves(
        "recovered",
        recover(),
        RUNNING,
        Then(
            ["a"],
            {"rq:job:a": limited("queued", worker_name="w1", enqueued_at=AT, p_redelivered=1), "rq:queue:q": ["a"]},
            [event("recovered", "a")],
        ),
        again=Then([]),
    ),
    leaves(
        "canceled when it had its place and was not claimed",
        cancel(),
        {"rq:job:a": limited("queued", "+r")},
        Then(
            ["queued", 0],
            {"rq:job:a": limited("canceled", "+r", ended_at=AT), "rq:canceled:q": ZSet(a=1000)},
            [event("canceled", "a")],
        ),
        again=Then(["canceled", 0]),
    ),
    leaves(
        "overdue when it had its place",
        claim(),
        {"rq:job:a": limited("queued", "+r", p_deadline="1000.000000"), "rq:queue:q": ["a"], **JOINED},
        Then(
            ["8"],
            {
                "rq:job:a": limited("canceled", "+r", p_deadline="1000.000000", p_expired=AT, ended_at=AT),
                "rq:canceled:q": ZSet(a=1000),
                "postroom:expired:q": ZSet(a=1000),
                "postroom:token": "8",
                "postroom:held:w1": {"@q": "0 0"},
            },
            [event("expired", "a")],
        ),
        again=Then([]),
    ),
    Row(
        "deleted when it had its place: the next one gets it, by the server's clock",
        {**parked("b"), **rule(1), PLACES: ZSet(a=900), "rq:job:a": limited("queued", "+r")},
        DELETE,
        Then(
            1,
            {
                **rule(1),
                "postroom:gone:a": lasting(60, "delete-d1 "),
                PLACES: ZSet(b=FromNow(0)),
                BUSY: ZSet(r=FromNow(0)),
                "rq:queue:q": ["b"],
                "rq:job:b": woken(),
            },
        ),
        again=Then(1),
    ),
    Row(
        "released: it keeps its place, and needs no other; one that was canceled leaves it",
        {
            **rule(1),
            PLACES: ZSet(a=900, b=900),
            "rq:job:a": limited("started", **CLAIM),
            "rq:job:b": limited("canceled", **CLAIM),
            "rq:wip:q": ZSet({"a:7": INF, "b:7": INF}),
            "postroom:held:w1": {"a:7": "q", "b:7": "q"},
        },
        release("a", "b"),
        Then(
            ["OK", "STALE"],
            {
                **rule(1),
                PLACES: ZSet(a=900),
                "rq:job:a": limited("queued", "+r", **CLAIM),
                "rq:job:b": limited("canceled", **CLAIM),
                "rq:queue:q": ["a"],
            },
        ),
        again=Then(["ALREADY", "STALE"]),
    ),
    Row(
        "canceled in line: it waits no more",
        {**parked("a", "b"), **rule(1), PLACES: ZSet(x=900)},
        cancel(),
        Then(
            ["deferred", 0],
            {
                **parked("a", "b"),
                **rule(1),
                PLACES: ZSet(x=900),
                LINED: ZSet(b=900.000002),
                "rq:deferred:q": ZSet(b=900),
                "rq:job:a": limited("canceled", p_limited="r", ended_at=AT),
                "rq:canceled:q": ZSet(a=1000),
            },
            [event("canceled", "a")],
        ),
        again=Then(["canceled", 0]),
    ),
    Row(
        "foreign keys in the places of its line and of its places: it is canceled all the same",
        {LINED: "oops", PLACES: "oops", **rule(1), "rq:job:a": limited("deferred", p_limited="r")},
        cancel(),
        Then(
            ["deferred", 0],
            {
                LINED: "oops",
                PLACES: "oops",
                **rule(1),
                "rq:job:a": limited("canceled", p_limited="r", ended_at=AT),
                "rq:canceled:q": ZSet(a=1000),
            },
            [event("canceled", "a")],
        ),
        again=Then(["canceled", 0]),
    ),
    Row(
        "finished, and the rate lets nobody begin yet: that is noted",
        {**rule(1, 0.5), **parked("b"), PLACES: ZSet(a=900), RATE: "1000.200000", **RUNNING},
        complete(done("a", ttl=0)),
        Then(
            ["OK"],
            {
                **rule(1, 0.5),
                **parked("b"),
                RATE: "1000.200000",
                DUE: ZSet(r=1000.2),
                "postroom:gone:a": lasting(60, "7 "),
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "finished, the rate lets nobody begin yet, and a foreign key stands where that is noted",
        {**rule(1, 0.5), **parked("b"), PLACES: ZSet(a=900), RATE: "1000.200000", DUE: "oops", **RUNNING},
        complete(done("a", ttl=0)),
        Then(
            ["OK"],
            {
                **rule(1, 0.5),
                **parked("b"),
                RATE: "1000.200000",
                DUE: "oops",
                "postroom:gone:a": lasting(60, "7 "),
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_places(table: Table, row: Row) -> None:
    table.check(row)
