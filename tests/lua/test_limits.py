"""Limits in claim.lua, permit.lua, mend.lua and limit.lua: who has a place begins, the others wait in line."""

from typing import Any

import pytest

from tests.lua.limits import BUSY, DUE, LINED, PLACES, RATE, limited, parked, rule, woken
from tests.lua.table import Call, Row, Table, Then, ZSet, job, lasting
from tests.lua.test_claim import JOINED, claim, ours, taken, taking

INF = float("inf")
CLAIM: dict[str, Any] = {"worker_name": "w1", "p_token": 7}


def permit(limit: int = 10) -> Call:
    """One call."""
    return Call("permit", {"limit": limit})


def mend(limit: int = 10) -> Call:
    """One call: limits that were looked at 10 s ago are looked at again."""
    return Call("mend", {"age": 10, "limit": limit})


def unkept(name: str, **foreign: Any) -> Row:
    """Something foreign stands in the place of a key of the limit: nobody is kept by it."""
    return Row(
        f"claim: a foreign key in the place of {name}: the limit keeps nobody",
        {"rq:queue:q": ["a"], "rq:job:a": limited(), **JOINED, **rule(1, 0.5), **foreign},
        claim(),
        Then(
            ["8", ours("a", limits="r")],
            taking("a", **{"rq:job:a": taken(p_limits="r")}, **{**rule(1, 0.5), **foreign}),
        ),
        again=Then(["8", ours("a", "started", limits="r")]),
    )


CLAIMS = (
    Row(
        "claim: so many as there are places; the others wait in the order of their coming",
        {"rq:queue:q": ["a", "c", "b"], **{f"rq:job:{one}": limited() for one in "abc"}, **JOINED, **rule(1)},
        claim(),
        Then(
            ["8", ours("a", limits="r")],
            taking(
                "a",
                **{
                    **rule(1),
                    "rq:job:a": taken(p_limits="r"),
                    **{f"rq:job:{one}": limited("deferred", p_limited="r") for one in "bc"},
                    PLACES: ZSet(a=1000),
                    LINED: ZSet(c=1000.000001, b=1000.000002),
                    "rq:deferred:q": ZSet(b=1000, c=1000),
                    BUSY: ZSet(r=1000),
                },
            ),
        ),
        again=Then(["8", ours("a", "started", limits="r")]),
    ),
    Row(
        "claim: by the rate, with a burst: two at once, the third when its time comes",
        {"rq:queue:q": ["a", "b", "c"], **{f"rq:job:{one}": limited() for one in "abc"}, **JOINED, **rule(0, 0.5, 2)},
        claim(),
        Then(
            ["8", ours("a", limits="r"), ours("b", limits="r")],
            taking(
                "a",
                "b",
                **{
                    **rule(0, 0.5, 2),
                    "rq:job:a": taken(p_limits="r"),
                    "rq:job:b": taken(p_limits="r"),
                    "rq:job:c": limited("deferred", p_limited="r"),
                    RATE: lasting(2, "1001.000000"),
                    LINED: ZSet(c=1000.000001),
                    DUE: ZSet(r=1000.5),
                    "rq:deferred:q": ZSet(c=1000),
                    BUSY: ZSet(r=1000),
                },
            ),
        ),
        again=Then(["8", ours("a", "started", limits="r"), ours("b", "started", limits="r")]),
    ),
    Row(
        "claim: who has got its place in line needs no other",
        {"rq:queue:q": ["a"], "rq:job:a": limited(limits="+r"), PLACES: ZSet(a=900), **JOINED, **rule(1)},
        claim(),
        Then(
            ["8", ours("a", limits="+r")],
            taking("a", **{**rule(1), "rq:job:a": taken(p_limits="r"), PLACES: ZSet(a=900)}),
        ),
        again=Then(["8", ours("a", "started", limits="r")]),
    ),
    Row(
        "claim: nobody overtakes those who wait",
        {"rq:queue:q": ["a"], "rq:job:a": limited(), **parked("b", queue="x"), **JOINED, **rule(1)},
        claim(),
        Then(
            ["8"],
            {
                **rule(1),
                **parked("b", queue="x"),
                "rq:job:a": limited("deferred", p_limited="r"),
                LINED: ZSet(b=900.000001, a=1000.000001),
                "rq:deferred:q": ZSet(a=1000),
                BUSY: ZSet(r=1000),
                "postroom:token": "8",
                "postroom:held:w1": {"@q": "0 0"},
            },
        ),
        again=Then([]),
    ),
    Row(
        "claim: the limit of a queue holds for all of its jobs, and that of another for none",
        {
            "rq:queue:q": ["a", "b"],
            "rq:job:a": limited(limits="queue:x\nr\nqueue:y"),
            "rq:job:b": job("queued"),
            **JOINED,
            **rule(1, name="queue:q"),
        },
        claim(),
        Then(
            ["8", ours("a", limits="queue:x\nr\nqueue:y")],
            taking(
                "a",
                **{
                    **rule(1, name="queue:q"),
                    "rq:job:a": taken(p_limits="r\nqueue:q"),
                    "rq:job:b": limited("deferred", "queue:q", p_limited="queue:q"),
                    "postroom:limit:queue:q": ZSet(a=1000),
                    "postroom:limited:queue:q": ZSet(b=1000.000001),
                    "rq:deferred:q": ZSet(b=1000),
                    BUSY: ZSet({"queue:q": 1000}),
                },
            ),
        ),
        again=Then(["8", ours("a", "started", limits="r\nqueue:q")]),
    ),
    Row(
        "claim: of two limits the second has no place: none is taken in the first; foreign keys keep nobody",
        {
            "rq:queue:q": ["a"],
            "rq:job:a": limited(limits="r\ns\tk"),
            "postroom:limit:s\tk": ZSet(x=900),
            "postroom:limits": {"r": "5 0 1", "s": "1 0.5 1"},
            "rq:deferred:q": "oops",
            BUSY: "oops",
            DUE: "oops",
            **JOINED,
        },
        claim(),
        Then(
            ["8"],
            {
                "rq:job:a": limited("deferred", "r\ns\tk", p_limited="s\tk"),
                "postroom:limit:s\tk": ZSet(x=900),
                "postroom:limited:s\tk": ZSet(a=1000.000001),
                "postroom:limits": {"r": "5 0 1", "s": "1 0.5 1"},
                "rq:deferred:q": "oops",
                BUSY: "oops",
                DUE: "oops",
                "postroom:token": "8",
                "postroom:held:w1": {"@q": "0 0"},
            },
        ),
        again=Then([]),
    ),
    unkept("the rules", **{"postroom:limits": "oops"}),
    unkept("its places", **{PLACES: "oops"}),
    unkept("its rate", **{RATE: {"o": "ops"}}),
    unkept("its line", **{LINED: "oops"}),
    Row(
        "claim: there is a place, and a foreign key where the limits in use are noted",
        {"rq:queue:q": ["a"], "rq:job:a": limited(), BUSY: "oops", **JOINED, **rule(1)},
        claim(),
        Then(
            ["8", ours("a", limits="r")],
            taking("a", **{**rule(1), "rq:job:a": taken(p_limits="r"), PLACES: ZSet(a=1000), BUSY: "oops"}),
        ),
        again=Then(["8", ours("a", "started", limits="r")]),
    ),
)

PERMITS = (
    Row(
        "permit: the rate lets the next one begin, at the head of its queue; the one behind it waits on",
        {**rule(0, 0.5), **parked("a", "b"), "rq:queue:q": ["x"], RATE: "1000.000000", DUE: ZSet(r=1000)},
        permit(),
        Then(
            [1, "0.5"],
            {
                **rule(0, 0.5),
                **parked("a", "b"),
                "rq:queue:q": ["a", "x"],
                "rq:job:a": woken(),
                LINED: ZSet(b=900.000002),
                "rq:deferred:q": ZSet(b=900),
                RATE: lasting(1, "1000.500000"),
                DUE: ZSet(r=1000.5),
                BUSY: ZSet(r=1000),
            },
        ),
        again=Then([0, "0.5"]),
    ),
    Row(
        "permit: after a pause the burst goes on at once, in its order; what was canceled is passed over",
        {
            **rule(0, 0.5, 2),
            **parked("a", "b", "c"),
            "rq:job:a": limited("canceled", p_limited="r"),
            DUE: ZSet(r=990, other=1007),
        },
        permit(),
        Then(
            [1, "7"],
            {
                **rule(0, 0.5, 2),
                "rq:queue:q": ["b", "c"],
                "rq:job:a": limited("canceled", p_limited="r"),
                "rq:job:b": woken(),
                "rq:job:c": woken(),
                "rq:deferred:q": ZSet(a=900),
                RATE: lasting(2, "1001.000000"),
                DUE: ZSet(other=1007),
                BUSY: ZSet(r=1000),
            },
        ),
        again=Then([0, "7"]),
    ),
    Row(
        "permit: who has its turn here has no place in another limit: it waits there",
        {
            **parked("a", limits="r\ns"),
            "postroom:limits": {"r": "0 0.5 1", "s": "1 0 1"},
            "postroom:limit:s": ZSet(x=900),
            DUE: ZSet(r=1000),
        },
        permit(),
        Then(
            [1, ""],
            {
                "postroom:limits": {"r": "0 0.5 1", "s": "1 0 1"},
                "rq:job:a": limited("deferred", "r\ns", p_limited="s"),
                "postroom:limit:s": ZSet(x=900),
                "postroom:limited:s": ZSet(a=1000.000001),
                "rq:deferred:q": ZSet(a=1000),
                BUSY: ZSet(s=1000),
            },
        ),
        again=Then([0, ""]),
    ),
    Row(
        "permit: a foreign key in the place of its queue: it waits on, and that is looked at again",
        {**rule(0, 0.5), **parked("a"), "rq:queue:q": "oops", DUE: ZSet(r=1000)},
        permit(),
        Then([1, "0"], {**rule(0, 0.5), **parked("a"), "rq:queue:q": "oops", DUE: ZSet(r=1000)}),
        again=Then([1, "0"]),
    ),
    Row(
        "permit: foreign keys in the places of a hash and of a line",
        {
            **rule(0, 0.5),
            LINED: ZSet(a=900),
            "rq:job:a": "oops",
            "postroom:limited:t": "oops",
            DUE: ZSet(r=1000, t=1000),
        },
        permit(),
        Then([2, ""], {**rule(0, 0.5), "rq:job:a": "oops", "postroom:limited:t": "oops"}),
        again=Then([0, ""]),
    ),
    Row(
        "permit: foreign keys in the places of its registry and of the limits in use",
        {**rule(0, 0.5), **parked("a"), "rq:deferred:q": "oops", BUSY: "oops", DUE: ZSet(r=1000)},
        permit(),
        Then(
            [1, ""],
            {
                **rule(0, 0.5),
                "rq:queue:q": ["a"],
                "rq:job:a": woken(),
                "rq:deferred:q": "oops",
                BUSY: "oops",
                RATE: lasting(1, "1000.500000"),
            },
        ),
        again=Then([0, ""]),
    ),
)

MENDS = (
    Row(
        "mend: the place of a job that is gone goes to the next; those that have one keep it",
        {
            **rule(5),
            PLACES: ZSet(gone=900, ended=900, dropped=900, on=900, back=900, let_go=900),
            "rq:job:ended": limited("finished"),
            "rq:job:dropped": limited("queued"),
            "rq:job:on": limited("started"),
            "rq:job:back": limited("queued", "+r"),
            "rq:job:let_go": limited("canceled", p_token=7),
            "rq:wip:q": ZSet({"let_go:7": INF}),
            **parked("a"),
            BUSY: ZSet(r=900),
        },
        mend(),
        Then(
            [1][0],
            {
                **rule(5),
                PLACES: ZSet(on=900, back=900, let_go=900, a=1000),
                "rq:job:ended": limited("finished"),
                "rq:job:dropped": limited("queued"),
                "rq:job:on": limited("started"),
                "rq:job:back": limited("queued", "+r"),
                "rq:job:let_go": limited("canceled", p_token=7),
                "rq:wip:q": ZSet({"let_go:7": INF}),
                "rq:queue:q": ["a"],
                "rq:job:a": woken(),
                BUSY: ZSet(r=1000),
            },
        ),
        again=Then(0),
    ),
    Row(
        "mend: nobody has a place and nobody waits: it is not in use; what was looked at lately is not looked at",
        {
            **rule(1),
            PLACES: ZSet(canceled=900),
            "rq:job:canceled": limited("canceled", p_token=7),
            BUSY: ZSet(r=900, s=995),
        },
        mend(),
        Then(1, {**rule(1), "rq:job:canceled": limited("canceled", p_token=7), BUSY: ZSet(s=995)}),
        again=Then(0),
    ),
    Row(
        "mend: foreign keys in the places of its places and of a job's hash",
        {
            "postroom:limits": {"r": "1 0 1", "t": "1 0 1"},
            PLACES: ZSet(a=900),
            "rq:job:a": "oops",
            "postroom:limit:t": "oops",
            BUSY: ZSet(r=900, t=900),
        },
        mend(),
        Then(
            2,
            {
                "postroom:limits": {"r": "1 0 1", "t": "1 0 1"},
                "rq:job:a": "oops",
                "postroom:limit:t": "oops",
                BUSY: ZSet(t=1000),
            },
        ),
        again=Then(0),
    ),
    Row(
        "mend: a rule that is no more keeps nobody",
        {**parked("a", "b"), BUSY: ZSet(r=900)},
        mend(),
        Then(1, {"rq:queue:q": ["a", "b"], "rq:job:a": woken(), "rq:job:b": woken()}),
        again=Then(0),
    ),
)

LIMITS = (
    Row(
        "limit: a job gets its limits, and goes back to the head of its queue",
        {
            "rq:queue:q": ["x"],
            "rq:job:a": job("started", **CLAIM),
            "rq:job:b": job("canceled", **CLAIM),
            "rq:wip:q": ZSet({"a:7": INF, "b:7": INF}),
            "postroom:held:w1": {"@q": "1 7", "a:7": "q", "b:7": "q"},
        },
        Call("limit", {}, ["a", 7, "r", "b", 7, "r"]),
        Then(
            ["OK", "STALE"],
            {
                "rq:queue:q": ["a", "x"],
                "rq:job:a": limited("queued", **CLAIM),
                "rq:job:b": job("canceled", **CLAIM),
                "postroom:held:w1": {"@q": "1 7"},
            },
        ),
        again=Then(["ALREADY", "STALE"]),
    ),
)

ROWS = (*CLAIMS, *PERMITS, *MENDS, *LIMITS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_limits(table: Table, row: Row) -> None:
    table.check(row)
