"""Children: jobs that a handler enqueues, and what becomes of them when its job is canceled."""

from typing import Any

import pytest

from tests.lua.line import CLAIM
from tests.lua.table import AT, Call, Refused, Row, Table, Then, ZSet, event, job, lasting
from tests.lua.test_bury import bury, dead, told
from tests.lua.test_complete import complete, done
from tests.lua.test_deadlines import bounded
from tests.lua.test_enqueue import enqueue, new
from tests.lua.test_enqueue_keyed import enqueue as enqueue_keyed

INF = float("inf")
MONTH = 2_592_000
DOOMED = "postroom:doomed"
CANCEL = Call("cancel", {"children": "1"})


def uproot(limit: int = 10) -> Call:
    """One call."""
    return Call("uproot", {"limit": limit})


def child(status: str, parent: str = "p", **fields: Any) -> dict[str, str]:
    """The hash of a job that job `parent` has enqueued."""
    return job(status, p_parent=parent, **fields)


def settled(name: str, call: Call, then: Then) -> Row:
    """Job a, a child, ends under w1."""
    return Row(
        f"{name}: its parent forgets it",
        {
            "rq:job:a": child("started", **CLAIM),
            "rq:wip:q": ZSet({"a:7": INF}),
            "postroom:held:w1": {"a:7": "q"},
            "postroom:children:p": {"a", "x"},
        },
        call,
        Then(then.reply, {**(then.space or {}), "postroom:children:p": {"x"}}, then.events),
        again=Then(["ALREADY"]),
    )


ENDED = {**CLAIM, "started_at": "S", "ended_at": "E"}
ROWS = (
    Row(
        "enqueue: children stand in a set of their parent's, and have its deadline",
        {"rq:job:p": job("started"), "postroom:children:p": {"x"}},
        bounded(enqueue(new("a"), new("b")), parent="p", deadline="1500.25"),
        Then(
            [1, 1],
            {
                "rq:queues": {"rq:queue:q"},
                "rq:queue:q": ["a", "b"],
                "rq:job:p": job("started"),
                "postroom:children:p": lasting(MONTH, {"a", "b", "x"}),
                **{f"rq:job:{one}": child("queued", p_deadline="1500.250000") for one in "ab"},
            },
        ),
        again=Then([0, 0]),
    ),
    Row(
        "enqueue: the parent was canceled: nothing is written but what was before",
        {"rq:job:p": job("canceled"), "rq:job:a": child("queued", p_nonce="n")},
        bounded(enqueue(new("a", "n"), new("b")), parent="p"),
        Then([0, -2]),
        again=Then([0, -2]),
    ),
    Row(
        "enqueue: something else is in the place of the parent: it cannot be canceled",
        {"rq:job:p": "oops"},
        bounded(enqueue(new("a")), parent="p"),
        Then(
            [1],
            {
                "rq:job:p": "oops",
                "rq:queues": {"rq:queue:q"},
                "rq:queue:q": ["a"],
                "rq:job:a": child("queued"),
                "postroom:children:p": lasting(MONTH, {"a"}),
            },
        ),
        again=Then([0]),
    ),
    Row(
        "enqueue: a foreign key in the place of the children: refused, and no job is there",
        {"postroom:children:p": "oops"},
        bounded(enqueue(new("a")), parent="p"),
        Then(Refused("WRONGTYPE")),
        again=Then(Refused("WRONGTYPE")),
    ),
    Row(
        "enqueue_keyed: likewise",
        {"rq:job:p": job("started")},
        bounded(enqueue_keyed([*new("a"), ""]), parent="p"),
        Then(
            [1],
            {
                "rq:queues": {"rq:queue:q"},
                "rq:queue:q": ["a"],
                "rq:job:p": job("started"),
                "postroom:children:p": lasting(MONTH, {"a"}),
                "rq:job:a": child("queued"),
            },
        ),
        again=Then([0]),
    ),
    Row(
        "enqueue_keyed: the parent was canceled",
        {"rq:job:p": job("canceled")},
        bounded(enqueue_keyed([*new("a"), "k"]), parent="p"),
        Then([-2]),
        again=Then([-2]),
    ),
    settled(
        "complete",
        complete(done("a")),
        Then(
            ["OK"],
            {"rq:job:a": lasting(500, child("finished", **ENDED, result=42)), "rq:finished:q": ZSet(a=1500)},
            [event("finished", "a")],
        ),
    ),
    settled(
        "bury",
        bury(dead("a")),
        Then(
            ["OK"],
            {
                "rq:job:a": lasting(900, child("failed", **ENDED, p_reason="R", exc_info="T", p_attempt=3)),
                "rq:failed:q": ZSet(a=1900),
                "postroom:dead": told("a"),
            },
            [event("buried", "a")],
        ),
    ),
    Row(
        "delete: its parent forgets it",
        {"rq:job:a": child("queued"), "postroom:children:p": {"a", "x"}},
        Call("delete", {"nonce": ""}),
        Then(1, {"postroom:children:p": {"x"}, "postroom:gone:a": lasting(60, "delete- ")}),
        again=Then(1),
    ),
    Row(
        "cancel: its parent forgets it; it has no children itself",
        {"rq:job:a": child("queued"), "postroom:children:p": {"a", "x"}},
        CANCEL,
        Then(
            ["queued", 0],
            {"rq:job:a": child("canceled", ended_at=AT), "rq:canceled:q": ZSet(a=1000), "postroom:children:p": {"x"}},
            [event("canceled", "a")],
        ),
        again=Then(["canceled", 0]),
    ),
    Row(
        "cancel: its children are to be next",
        {"rq:job:a": job("queued"), "postroom:children:a": {"x"}},
        CANCEL,
        Then(
            ["queued", 1],
            {
                "rq:job:a": job("canceled", ended_at=AT),
                "rq:canceled:q": ZSet(a=1000),
                "postroom:children:a": {"x"},
                DOOMED: {"a"},
            },
            [event("canceled", "a")],
        ),
        again=Then(["canceled", 1]),
    ),
    *(
        Row(
            f"cancel: {name}, and its children are to be next all the same",
            {**standing, "postroom:children:a": {"x"}},
            CANCEL,
            Then([status, 1], {**standing, "postroom:children:a": {"x"}, DOOMED: {"a"}}),
            again=Then([status, 1]),
        )
        for name, status, standing in (
            ("it has finished", "finished", {"rq:job:a": job("finished")}),
            ("it is forgotten", None, {}),
        )
    ),
    Row(
        "cancel: its children shall go on",
        {"rq:job:a": job("queued"), "postroom:children:a": {"x"}},
        Call("cancel", {}),
        Then(
            ["queued", 0],
            {"rq:job:a": job("canceled", ended_at=AT), "rq:canceled:q": ZSet(a=1000), "postroom:children:a": {"x"}},
            [event("canceled", "a")],
        ),
        again=Then(["canceled", 0]),
    ),
    Row(
        "uproot: children and theirs; one that runs is told; one that is gone, or is no job, is passed by",
        {
            DOOMED: {"p"},
            "postroom:children:p": {"a", "gone", "odd"},
            "rq:job:a": child("started", worker_name="w1", p_token=7),
            "rq:job:odd": "oops",
            "postroom:children:a": {"b"},
            "rq:job:b": child("scheduled", "a", origin="r"),
            "rq:scheduled:r": ZSet(b=2000),
        },
        uproot(),
        Then(
            0,
            {
                "rq:job:a": child("canceled", worker_name="w1", p_token=7, ended_at=AT),
                "rq:canceled:q": ZSet(a=1000),
                "rq:job:odd": "oops",
                "rq:job:b": child("canceled", "a", origin="r", ended_at=AT),
                "rq:canceled:r": ZSet(b=1000),
            },
            [event("canceled", "a"), event("canceled", "b", queue="r")],
            [("w1", "a")],
        ),
        again=Then(0),
    ),
    Row(
        "uproot: no more than asked for; the next call goes on",
        {DOOMED: {"p"}, "postroom:children:p": {"a"}},
        uproot(1),
        Then(1, {DOOMED: {"p"}}),
        again=Then(0, {}),
    ),
    Row(
        "uproot: something foreign in the place of the children names none",
        {DOOMED: {"p"}, "postroom:children:p": "oops"},
        uproot(),
        Then(0, {"postroom:children:p": "oops"}),
        again=Then(0),
    ),
    Row("uproot: nobody's children", {}, uproot(), Then(0), again=Then(0)),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_children(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
