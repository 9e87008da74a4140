"""The key of dead letters that come back, and of ticks: they take their place in its line."""

from typing import Any

import pytest

from tests.lua.dead import UNDO, record
from tests.lua.line import BUSY, LINE, keyed, line, turned, waiting
from tests.lua.table import AT, FromNow, Row, Table, Then, ZSet, event
from tests.lua.test_claim import JOINED, claim, ours, taken, taking
from tests.lua.test_redrive import redrive
from tests.lua.test_tick import tick
from tests.lua.test_undo import undo

DEAD: dict[str, Any] = {"p_reason": "R", "p_attempt": 3}
SCHEDULE = {"postroom:schedule:s": {"digest": "d"}, "postroom:ticks": ZSet(s=1000)}
TICKED = {"postroom:schedule:s": {"digest": "d", "job": "j", "last": "1000.0"}, "postroom:ticks": ZSet(s=1060.25)}

ROWS = (
    # Dead letters ----------------------------------------------------------------------------------------------------
    Row(
        "redriven: to the end of its line; the first of one goes to its queue, and holds the key",
        {
            "rq:failed:q": ZSet(a=-1, b=-1, c=-1, d=-1),
            LINE: line("x"),
            BUSY: ZSet(k=990),
            **{f"rq:job:{job_id}": keyed("failed", **DEAD) for job_id in "ab"},
            **{f"rq:job:{job_id}": keyed("failed", **DEAD, p_key="l") for job_id in "cd"},
        },
        redrive("a", "b", "c", "d"),
        Then(
            [1, 1, 1, 1],
            {
                LINE: line("x", "a", "b"),
                "postroom:key:l": line("c", "d"),
                BUSY: ZSet(k=990, l=1000),
                "rq:queues": {"rq:queue:q"},
                "rq:queue:q": ["c"],
                "rq:deferred:q": ZSet(a=1000, b=1000, d=1000),
                **{f"rq:job:{one}": keyed("deferred", **DEAD, enqueued_at=AT, p_redriven=AT) for one in "ab"},
                "rq:job:c": keyed("queued", **DEAD, p_key="l", enqueued_at=AT, p_redriven=AT, p_turn=AT),
                "rq:job:d": keyed("deferred", **DEAD, p_key="l", enqueued_at=AT, p_redriven=AT),
                "postroom:undo": UNDO,
                "postroom:undo:A:q": record(a=-1, b=-1, c=-1, d=-1),
            },
            [event("redriven", "a", "b", "c", "d")],
        ),
        again=Then([1, 1, 1, 1]),
    ),
    Row(
        "redriven by this very call, which failed on its way: it stands in the line already, and waits",
        {
            "rq:failed:q": ZSet(a=-1),
            LINE: line("x", "a"),
            BUSY: ZSet(k=990),
            "rq:deferred:q": ZSet(a=1000),
            "rq:job:a": keyed("deferred", **DEAD, enqueued_at=AT, p_redriven=AT),
        },
        redrive("a"),
        Then(
            [1],
            {
                LINE: line("x", "a"),
                BUSY: ZSet(k=990),
                "rq:queues": {"rq:queue:q"},
                "rq:deferred:q": ZSet(a=1000),
                "rq:job:a": keyed("deferred", **DEAD, enqueued_at=AT, p_redriven=AT),
                "postroom:undo": UNDO,
                "postroom:undo:A:q": record(a=-1),
            },
            [event("redriven", "a")],
        ),
        again=Then([1]),
    ),
    Row(
        "a redrive is undone: both leave the line, nobody takes a turn that is not his, and the one behind follows",
        {
            "postroom:undo:A:q": record(a=-1, b=-1),
            LINE: line("a", "b", "c"),
            BUSY: ZSet(k=990),
            "rq:queue:q": ["a"],
            **waiting("b", "c"),
            "rq:job:a": keyed("queued", **DEAD, enqueued_at=AT, p_redriven=AT, p_turn=AT),
            "rq:job:b": keyed("deferred", **DEAD, enqueued_at=AT, p_redriven=AT),
        },
        undo("redrive", "b", "a"),
        Then(
            ["undone", "undone"],
            {
                "postroom:undo:A:q": record(a=-1, b=-1),
                LINE: ZSet(c=3),
                BUSY: ZSet(k=990),
                "rq:queue:q": ["c"],
                "rq:failed:q": ZSet(a=-1, b=-1),
                "rq:job:a": keyed("failed", **DEAD, enqueued_at=AT, p_turn=AT),
                "rq:job:b": keyed("failed", **DEAD, enqueued_at=AT),
                "rq:job:c": turned(),
            },
            [event("undone", "b", "a")],
        ),
        again=Then(["undone", "undone"]),
    ),
    Row(
        "a redrive is undone of one that had to wait, and whose turn has come since",
        {
            "postroom:undo:A:q": record(a=-1),
            LINE: line("a"),
            BUSY: ZSet(k=990),
            "rq:queue:q": ["a"],
            "rq:job:a": keyed("queued", **DEAD, enqueued_at=AT, p_redriven="T", p_turn=AT),
        },
        undo("redrive", "a"),
        Then(
            ["undone"],
            {
                "postroom:undo:A:q": record(a=-1),
                "rq:failed:q": ZSet(a=-1),
                "rq:job:a": keyed("failed", **DEAD, enqueued_at=AT, p_turn=AT),
            },
            [event("undone", "a")],
        ),
        again=Then(["undone"]),
    ),
    Row(
        "RQ's requeue put dead letters on the list: where another holds their key, they wait behind it",
        {
            "rq:queue:q": ["a", "b"],
            LINE: line("x"),
            BUSY: ZSet(k=990),
            **{f"rq:job:{job_id}": keyed("queued", **DEAD, p_turn="T") for job_id in "ab"},
            **JOINED,
        },
        claim(),
        Then(
            ["8"],
            {
                LINE: line("x", "a", "b"),
                BUSY: ZSet(k=990),
                "rq:deferred:q": ZSet(a=1000, b=1000),
                **{f"rq:job:{job_id}": keyed("deferred", **DEAD) for job_id in "ab"},
                **JOINED,
                "postroom:token": "8",
            },
        ),
        again=Then([]),
    ),
    Row(
        "or are the first of their line now, and run",
        {"rq:queue:q": ["a"], "rq:job:a": keyed("queued", **DEAD, p_turn="T"), **JOINED},
        claim(),
        Then(
            ["8", ours("a")],
            taking("a", **{"rq:job:a": taken(p_key="k"), LINE: line("a"), BUSY: ZSet(k=1000)}),
        ),
        again=Then(["8", ours("a", "started")]),
    ),
    Row(
        "a redriven one is in the line already, and its turn has come",
        {
            "rq:queue:q": ["a"],
            "rq:job:a": keyed("queued", **DEAD, p_turn="T"),
            LINE: line("a", "b"),
            BUSY: ZSet(k=990),
            **JOINED,
        },
        claim(),
        Then(
            ["8", ours("a")],
            taking("a", **{"rq:job:a": taken(p_key="k", p_turn="T"), LINE: line("a", "b"), BUSY: ZSet(k=990)}),
        ),
        again=Then(["8", ours("a", "started")]),
    ),
    *(
        Row(
            f"requeued, and a foreign key in the place of {name}: it runs all the same",
            {"rq:queue:q": ["a"], "rq:job:a": keyed("queued", **DEAD), **standing, **JOINED},
            claim(),
            Then(["8", ours("a")], taking("a", **{"rq:job:a": taken(p_key="k"), **standing, **more})),
            again=Then(["8", ours("a", "started")]),
        )
        for name, standing, more in (
            ("the line", {LINE: "oops"}, {}),
            ("those that wait", {LINE: line("x"), BUSY: ZSet(k=990), "rq:deferred:q": "oops"}, {}),
            ("the busy keys", {BUSY: "oops"}, {LINE: line("a")}),
        )
    ),
    # Schedules -------------------------------------------------------------------------------------------------------
    Row(
        "a tick: nobody has its key",
        SCHEDULE,
        tick(key="k"),
        Then(
            "OK",
            {
                **TICKED,
                LINE: line("j"),
                BUSY: ZSet(k=FromNow(0)),
                "rq:queues": {"rq:queue:q"},
                "rq:queue:q": ["j"],
                "rq:job:j": keyed("queued", p_turn=AT),
            },
        ),
        again=Then("ALREADY"),
    ),
    Row(
        "a tick: another has its key",
        {**SCHEDULE, LINE: line("x"), BUSY: ZSet(k=990)},
        tick(key="k", run_at="1007.5"),
        Then(
            "OK",
            {
                **TICKED,
                LINE: line("x", "j"),
                BUSY: ZSet(k=990),
                "rq:queues": {"rq:queue:q"},
                "rq:deferred:q": ZSet(j=FromNow(0)),
                "rq:job:j": keyed("deferred", p_due="1007.5"),
            },
        ),
        again=Then("ALREADY"),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_key_again(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
