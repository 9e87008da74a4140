"""redrive.lua, row by row."""

from typing import Any

import pytest

from tests.lua.dead import UNDO, beside, record
from tests.lua.table import AT, Call, Refused, Row, Table, Then, ZSet, event, job, lasting, rq_job

DEAD: dict[str, Any] = {"worker_name": "w1", "p_token": 7, "p_reason": "R", "p_attempt": 3, "ended_at": "E"}
BACK: dict[str, Any] = {**DEAD, "enqueued_at": AT, "p_redriven": AT}
EARLIER = " ".join(f"1970-01-01T00:00:{i:02}.000000Z" for i in range(10))


def redrive(*ids: str, **args: Any) -> Call:
    """One call."""
    return Call("redrive", args, ids)


ROWS = (
    Row(
        "to the tail; what died of what stays until it is claimed; it no longer expires",
        {
            "rq:queue:q": ["x"],
            "rq:failed:q": ZSet(a=1900, b=-1, c=1950),
            "rq:job:a": lasting(900, job("failed", **DEAD)),
            "rq:job:b": job("failed", **DEAD),
            "rq:job:c": lasting(950, job("failed", **DEAD)),
        },
        redrive("a", "b"),
        Then(
            [1, 1],
            {
                "rq:queues": {"rq:queue:q"},
                "rq:queue:q": ["x", "a", "b"],
                "rq:failed:q": ZSet(c=1950),
                "rq:job:a": job("queued", **BACK),
                "rq:job:b": job("queued", **BACK),
                "rq:job:c": lasting(950, job("failed", **DEAD)),
                "postroom:undo": UNDO,
                "postroom:undo:A:q": record(a=1900, b=-1),
            },
            [event("redriven", "a", "b")],
        ),
        again=Then([1, 1]),
    ),
    Row(
        "RQ's: what stands beside the hash no longer expires, either",
        {
            "rq:failed:q": ZSet(a=1900),
            "rq:job:a": lasting(900, rq_job("failed")),
            **beside(900),
            "rq:results:a": lasting(900, "any"),
        },
        redrive("a"),
        Then(
            [1],
            {
                "rq:queues": {"rq:queue:q"},
                "rq:queue:q": ["a"],
                "rq:job:a": rq_job("queued", enqueued_at=AT, p_redriven=AT),
                **beside(None),
                "rq:results:a": "any",
                "postroom:undo": UNDO,
                "postroom:undo:A:q": record(a=1900),
            },
            [event("redriven", "a")],
        ),
        again=Then([1]),
    ),
    Row(
        "to another queue; of its redrives the newest ten are kept",
        {"rq:failed:q": ZSet(a=-1), "rq:job:a": job("failed", **DEAD, p_redriven=EARLIER)},
        redrive("a", target_name="r"),
        Then(
            [1],
            {
                "rq:queues": {"rq:queue:r"},
                "rq:queue:r": ["a"],
                "rq:job:a": job("queued", **{**BACK, "p_redriven": f"{EARLIER[28:]} {AT}"}, origin="r"),
                "postroom:undo": UNDO,
                "postroom:undo:A:q": record(a=-1),
            },
            [event("redriven", "a", queue="r")],
        ),
        again=Then([1]),
    ),
    Row(
        "the same id twice is one",
        {"rq:failed:q": ZSet(a=-1), "rq:job:a": job("failed", **DEAD)},
        redrive("a", "a"),
        Then(
            [1, 0],
            {
                "rq:queues": {"rq:queue:q"},
                "rq:queue:q": ["a"],
                "rq:job:a": job("queued", **BACK),
                "postroom:undo": UNDO,
                "postroom:undo:A:q": record(a=-1),
            },
            [event("redriven", "a")],
        ),
        again=Then([1, 1]),
    ),
    Row(
        "no dead letters: not there, requeued by RQ, no longer failed, another type of key",
        {
            "rq:failed:q": ZSet(c=1, d=1),
            "rq:job:b": job("queued", p_reason="R"),
            "rq:job:c": job("started"),
            "rq:job:d": "oops",
        },
        redrive("a", "b", "c", "d"),
        Then([0, 0, 0, 0]),
        again=Then([0, 0, 0, 0]),
    ),
    Row(
        "dead again since this action redrove it: not once more; another action may",
        {"rq:failed:q": ZSet(a=2000), "rq:job:a": job("failed", **DEAD), "postroom:undo:A:q": record(a=1900)},
        redrive("a"),
        Then([0]),
        again=Then([0]),
    ),
    Row(
        "this very call failed on its way: it does all of it again",
        {
            "rq:queue:q": ["a", "b"],
            "rq:failed:q": ZSet(a=-1, b=-1),
            "rq:job:a": job("queued", **BACK),
            "rq:job:b": job("failed", **DEAD),
        },
        redrive("a", "b"),
        Then(
            [1, 1],
            {
                "rq:queues": {"rq:queue:q"},
                "rq:queue:q": ["a", "b", "a", "b"],
                "rq:job:a": job("queued", **BACK),
                "rq:job:b": job("queued", **BACK),
                "postroom:undo": UNDO,
                "postroom:undo:A:q": record(a=-1, b=-1),
            },
            [event("redriven", "a", "b")],
        ),
        again=Then([1, 1]),
    ),
    Row(
        "a foreign key stands in the list's place: nothing is changed",
        {"rq:queue:q": "oops", "rq:failed:q": ZSet(a=-1), "rq:job:a": job("failed", **DEAD)},
        redrive("a"),
        Then(Refused("WRONGTYPE")),
        again=Then(Refused("WRONGTYPE")),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_redrive(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
