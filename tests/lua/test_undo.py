"""undo.lua, row by row: what redrive, purge and import have left is undone."""

from typing import Any

import pytest

from tests.lua.dead import beside, record
from tests.lua.table import AT, Call, Refused, Row, Table, Then, ZSet, event, job, lasting, rq_job

DEAD: dict[str, Any] = {"p_reason": "R", "p_attempt": 3}
BACK: dict[str, Any] = {**DEAD, "enqueued_at": AT, "p_redriven": AT}
FAR = [f"x{i}" for i in range(1000)]


def undo(verb: str, *ids: str, now: Any = 1000) -> Call:
    """One call."""
    return Call("undo", {"verb": verb, "now": now}, ids)


def left(name: str, verb: str, reply: str, **given: Any) -> Row:
    """It was touched since, and stays as it is."""
    standing = {f"rq:{key.replace('_', ':')}": value for key, value in given.items()}
    found = {"postroom:undo:A:q": record(a=1900), **standing}
    return Row(f"{verb}: {name}", found, undo(verb, "a"), Then([reply]), again=Then([reply]))


REDRIVEN = (
    Row(
        "redrive: as it stood before, off the list",
        {
            "postroom:undo:A:q": record(a=1900, b=-1),
            "rq:queue:q": ["x", "a", "b", "y"],
            "rq:job:a": job("queued", **BACK),
            "rq:job:b": job("queued", **{**BACK, "p_redriven": f"T {AT}"}),
        },
        undo("redrive", "b", "a"),
        Then(
            ["undone", "undone"],
            {
                "postroom:undo:A:q": record(a=1900, b=-1),
                "rq:queue:q": ["x", "y"],
                "rq:failed:q": ZSet(a=1900, b=-1),
                "rq:job:a": lasting(900, job("failed", **DEAD, enqueued_at=AT)),
                "rq:job:b": job("failed", **DEAD, enqueued_at=AT, p_redriven="T"),
            },
            [event("undone", "b", "a")],
        ),
        again=Then(["undone", "undone"]),
    ),
    Row(
        "redrive to another queue: back to its own; of RQ's, what stands beside it ends with it again",
        {
            "postroom:undo:A:q": record(a=1900),
            "rq:queue:r": ["a"],
            "rq:job:a": rq_job("queued", enqueued_at=AT, p_redriven=AT, origin="r"),
            **beside(None),
            "rq:results:a": "any",
        },
        undo("redrive", "a"),
        Then(
            ["undone"],
            {
                "postroom:undo:A:q": record(a=1900),
                "rq:failed:q": ZSet(a=1900),
                "rq:job:a": lasting(900, rq_job("failed", enqueued_at=AT)),
                **beside(900),
                "rq:results:a": lasting(900, "any"),
            },
            [event("undone", "a")],
        ),
        again=Then(["undone"]),
    ),
    Row(
        "redrive: far from the list's end its id stays, and the claim will discard it",
        {
            "postroom:undo:A:q": record(a=-1),
            "rq:queue:q": ["a", *FAR],
            "rq:job:a": job("queued", **BACK),
        },
        undo("redrive", "a"),
        Then(
            ["undone"],
            {
                "postroom:undo:A:q": record(a=-1),
                "rq:queue:q": ["a", *FAR],
                "rq:failed:q": ZSet(a=-1),
                "rq:job:a": job("failed", **DEAD, enqueued_at=AT),
            },
            [event("undone", "a")],
        ),
        again=Then(["undone"]),
    ),
    Row(
        "redrive: a foreign key stands in the list's place: nothing is changed",
        {"postroom:undo:A:q": record(a=-1), "rq:queue:q": "oops", "rq:job:a": job("queued", **BACK)},
        undo("redrive", "a"),
        Then(Refused("WRONGTYPE")),
        again=Then(Refused("WRONGTYPE")),
    ),
    left("it runs", "redrive", "started", job_a=job("started", **BACK)),
    left("it was tried", "redrive", "queued", job_a=job("queued", **{**BACK, "enqueued_at": "later"})),
    left("it died again", "redrive", "again", job_a=job("failed", **BACK), failed_q=ZSet(a=2000)),
    left("it was purged", "redrive", "again", job_a=job("failed", **BACK)),
    left("it was deleted", "redrive", "gone"),
    left("another type of key stands there", "redrive", "gone", job_a="oops"),
)
PURGED = (
    Row(
        "purge: as it stood before",
        {
            "postroom:undo:A:q": record(a=1800, b=-1),
            "rq:job:a": lasting(500, rq_job("failed")),
            "rq:job:b": lasting(500, job("failed")),
            **beside(500),
        },
        undo("purge", "b", "a"),
        Then(
            ["undone", "undone"],
            {
                "postroom:undo:A:q": record(a=1800, b=-1),
                "rq:failed:q": ZSet(a=1800, b=-1),
                "rq:job:a": lasting(800, rq_job("failed")),
                "rq:job:b": job("failed"),
                **beside(800),
            },
            [event("undone", "b", "a")],
        ),
        again=Then(["undone", "undone"]),
    ),
    left("it is a dead letter by another's doing", "purge", "again", job_a=job("failed"), failed_q=ZSet(a=5)),
    left("it was enqueued anew", "purge", "queued", job_a=job("queued")),
    left("it was deleted", "purge", "gone"),
)
IMPORTED = (
    Row(
        "import: it goes, with what stands beside it",
        {
            "postroom:undo:A:q": record(a=1900),
            "rq:failed:q": ZSet(a=1900, x=1),
            "rq:job:a": lasting(900, job("failed", p_imported="A")),
            **beside(900),
        },
        undo("import", "a"),
        Then(["undone"], {"postroom:undo:A:q": record(a=1900), "rq:failed:q": ZSet(x=1)}, [event("undone", "a")]),
        again=Then(["undone"]),
    ),
    Row(
        "import --replace: the dead letter that stood there",
        {
            "postroom:undo:A:q": record(a=2500),
            "rq:failed:q": ZSet(a=2500),
            "rq:job:a": lasting(1500, job("failed", p_imported="A")),
            "postroom:replaced:A:a": lasting(900, job("failed", p_reason="old", p_imported="Z")),
        },
        undo("import", "a"),
        Then(
            ["undone"],
            {
                "postroom:undo:A:q": record(a=2500),
                "rq:failed:q": ZSet(a=2500),
                "rq:job:a": lasting(1500, job("failed", p_reason="old", p_imported="Z")),
            },
            [event("undone", "a")],
        ),
        again=Then(["undone"]),
    ),
    left("it was redriven", "import", "queued", job_a=job("queued", p_imported="A")),
    left("it died again", "import", "again", job_a=job("failed", p_imported="A"), failed_q=ZSet(a=2000)),
    left("its entry outlived it", "import", "gone", failed_q=ZSet(a=1900)),
)
ROWS = (
    *REDRIVEN,
    *PURGED,
    *IMPORTED,
    Row(
        "the record is gone",
        {"rq:failed:q": ZSet(a=1), "rq:job:a": job("failed")},
        undo("purge", "a"),
        Then(["expired"]),
        again=Then(["expired"]),
    ),
    Row(
        "by the server's clock, and a minute at least",
        {"postroom:undo:A:q": record(a=700), "rq:job:a": lasting(500, job("failed"))},
        undo("purge", "a", now=""),
        Then(
            ["undone"],
            {
                "postroom:undo:A:q": record(a=700),
                "rq:failed:q": ZSet(a=700),
                "rq:job:a": lasting(60, job("failed")),
            },
            [event("undone", "a")],
        ),
        again=Then(["undone"]),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_undo(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
