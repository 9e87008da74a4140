"""import.lua, row by row."""

from typing import Any

import pytest

from tests.lua.dead import UNDO, record
from tests.lua.table import AT, Call, Row, Stream, Table, Then, ZSet, event, job, lasting

FIELDS = ["status", "failed", "p:reason", "R"]
WRITTEN = {"status": "failed", "p:reason": "R", "p:imported": "A"}


def load(*jobs: list[Any], replace: str = "", now: Any = 1000) -> Call:
    """One call."""
    return Call("import", {"replace": replace, "now": now}, [part for one in jobs for part in one])


def line(job_id: str, score: float = 1900, entry: str = "") -> list[Any]:
    """One dead letter."""
    return [job_id, score, entry, len(FIELDS), *FIELDS]


ROWS = (
    Row(
        "into the registry; its hash expires with its entry",
        {"rq:failed:q": ZSet(x=5)},
        load(line("a"), line("b", -1)),
        Then(
            ["imported", "imported"],
            {
                "rq:queues": {"rq:queue:q"},
                "rq:failed:q": ZSet(x=5, a=1900, b=-1),
                "rq:job:a": lasting(900, WRITTEN),
                "rq:job:b": WRITTEN,
                "postroom:undo": UNDO,
                "postroom:undo:A:q": record(a=1900, b=-1),
            },
            [event("imported", "a", "b")],
        ),
        again=Then(["imported", "imported"]),
    ),
    Row(
        "RQ's: with the entry of its result stream, once",
        {"rq:results:b": Stream([{"type": "1"}])},
        load(line("a", entry='["type", "2"]'), line("b", entry='["type", "2"]')),
        Then(
            ["imported", "imported"],
            {
                "rq:queues": {"rq:queue:q"},
                "rq:failed:q": ZSet(a=1900, b=1900),
                "rq:job:a": lasting(900, WRITTEN),
                "rq:job:b": lasting(900, WRITTEN),
                "rq:results:a": lasting(900, Stream([{"type": "2"}])),
                "rq:results:b": lasting(900, Stream([{"type": "1"}])),
                "postroom:undo": UNDO,
                "postroom:undo:A:q": record(a=1900, b=1900),
            },
            [event("imported", "a", "b")],
        ),
        again=Then(["imported", "imported"]),
    ),
    Row(
        "its time by the server's clock, and a minute at least",
        {},
        load(line("a", 700), now=""),
        Then(
            ["imported"],
            {
                "rq:queues": {"rq:queue:q"},
                "rq:failed:q": ZSet(a=700),
                "rq:job:a": lasting(60, WRITTEN),
                "postroom:undo": UNDO,
                "postroom:undo:A:q": record(a=700),
            },
            [event("imported", "a")],
        ),
        again=Then(["imported"]),
    ),
    Row(
        "an id that is taken is left as it is, by its status",
        {
            "rq:failed:q": ZSet(a=-1),
            "rq:job:a": job("failed"),
            "rq:job:b": job("queued"),
            "rq:job:c": "oops",
            "rq:job:d": job(None),
        },
        load(line("a"), line("b"), line("c"), line("d")),
        Then(["failed", "queued", "foreign", "broken"]),
        again=Then(["failed", "queued", "foreign", "broken"]),
    ),
    Row(
        "replace: dead letters of this queue, no other job; kept as long as the other; that one is put aside",
        {
            "rq:failed:q": ZSet(a=2500),
            "rq:job:a": lasting(1500, job("failed", p_reason="old")),
            "rq:job:b": job("queued"),
            "rq:job:c": job("failed"),
        },
        load(line("a"), line("b"), line("c"), replace="1"),
        Then(
            ["replaced", "queued", "failed"],
            {
                "rq:queues": {"rq:queue:q"},
                "rq:failed:q": ZSet(a=2500),
                "rq:job:a": lasting(1500, WRITTEN),
                "rq:job:b": job("queued"),
                "rq:job:c": job("failed"),
                "postroom:replaced:A:a": lasting(900, job("failed", p_reason="old")),
                "postroom:undo": UNDO,
                "postroom:undo:A:q": record(a=2500),
            },
            [event("imported", "a")],
        ),
        again=Then(["replaced", "queued", "failed"]),
    ),
    Row(
        "this very call failed on its way: it does the rest",
        {
            "postroom:undo:A:q": record(a=1900, b=-1),
            "rq:failed:q": ZSet(a=1900),
            "rq:job:a": WRITTEN,
        },
        load(line("a"), line("b", -1)),
        Then(
            ["imported", "imported"],
            {
                "rq:queues": {"rq:queue:q"},
                "rq:failed:q": ZSet(a=1900, b=-1),
                "rq:job:a": lasting(900, WRITTEN),
                "rq:job:b": WRITTEN,
                "postroom:undo": UNDO,
                "postroom:undo:A:q": record(a=1900, b=-1),
            },
            [event("imported", "b")],
        ),
        again=Then(["imported", "imported"]),
    ),
    Row(
        "redriven since, a replay does not touch it",
        {
            "rq:queue:q": ["a"],
            "rq:job:a": {**WRITTEN, "status": "queued", "enqueued_at": AT},
            "postroom:undo:A:q": record(a=1900),
        },
        load(line("a")),
        Then(["imported"]),
        again=Then(["imported"]),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_import(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
