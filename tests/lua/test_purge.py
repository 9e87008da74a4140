"""purge.lua, row by row."""

from typing import Any

import pytest

from tests.lua.dead import UNDO, beside, record
from tests.lua.table import Call, Row, Table, Then, ZSet, event, job, lasting, rq_job


def purge(*ids: str) -> Call:
    """One call."""
    return Call("purge", {}, ids)


def letter(**fields: Any) -> dict[str, str]:
    """A dead letter."""
    return job("failed", p_reason="R", **fields)


ROWS = (
    Row(
        "out of the registry; the hash stays as long as it can be undone",
        {
            "rq:failed:q": ZSet(a=19000, b=-1, c=1950),
            "rq:job:a": lasting(18000, letter()),
            "rq:job:b": letter(),
            "rq:job:c": lasting(950, letter()),
        },
        purge("a", "b"),
        Then(
            [1, 1],
            {
                "rq:failed:q": ZSet(c=1950),
                "rq:job:a": lasting(900, letter()),
                "rq:job:b": lasting(900, letter()),
                "rq:job:c": lasting(950, letter()),
                "postroom:undo": UNDO,
                "postroom:undo:A:q": record(a=19000, b=-1),
            },
            [event("purged", "a", "b")],
        ),
        again=Then([1, 1]),
    ),
    Row(
        "RQ's: what stands beside the hash ends with it",
        {"rq:failed:q": ZSet(a=-1), "rq:job:a": rq_job("failed"), **beside(None), "rq:results:a": "any"},
        purge("a"),
        Then(
            [1],
            {
                "rq:job:a": lasting(900, rq_job("failed")),
                **beside(900),
                "rq:results:a": lasting(900, "any"),
                "postroom:undo": UNDO,
                "postroom:undo:A:q": record(a=-1),
            },
            [event("purged", "a")],
        ),
        again=Then([1]),
    ),
    Row(
        "no dead letters: not there, requeued by RQ, no longer failed, another type of key",
        {
            "rq:failed:q": ZSet(c=1, d=1),
            "rq:job:b": job("queued", p_reason="R"),
            "rq:job:c": job("started"),
            "rq:job:d": "oops",
        },
        purge("a", "b", "c", "d"),
        Then([0, 0, 0, 0]),
        again=Then([0, 0, 0, 0]),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_purge(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
