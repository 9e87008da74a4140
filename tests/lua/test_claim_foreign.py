"""claim.lua where a key of another type stands in the place of one that it needs: mistakes that are nobody's job."""

from typing import Any

import pytest

from tests.lua.table import Refused, Row, Table, Then, ZSet, job
from tests.lua.test_claim import HAND, JOINED, claim


def refused(where: str, given: dict[str, Any], then: dict[str, Any], *more: str) -> Row:
    """A foreign key stands in a place; on the list are a, b, which has a foreign key itself, and `more`."""
    standing = {"rq:queue:q": ["a", "b", *more], "rq:job:a": job("queued"), "rq:job:b": ["o", "ops"]}
    return Row(
        f"a foreign key in the place {where}: refused, nobody holds a job, and none leaves the list or is put aside",
        {**standing, **given, **JOINED},
        claim(),
        Then(Refused("WRONGTYPE"), {**standing, **then, **HAND, "postroom:token": "8"}),
        again=Then(Refused("WRONGTYPE"), {**standing, **then, **HAND, "postroom:token": "9"}),
    )


ROWS = (
    Row(
        "a foreign key in the place of the list: refused, nothing is written",
        {"rq:queue:q": "oops", **JOINED},
        claim(),
        Then(Refused("WRONGTYPE")),
        again=Then(Refused("WRONGTYPE")),
    ),
    refused(
        "of the running jobs",
        {"rq:wip:q": "oops"},
        {"rq:wip:q": "oops", "rq:queues": {"rq:queue:q"}, "postroom:leases": ZSet(w1=1012)},
    ),
    refused("of the leases", {"postroom:leases": "oops"}, {"postroom:leases": "oops", "rq:queues": {"rq:queue:q"}}),
    refused("of the queues", {"rq:queues": "oops"}, {"rq:queues": "oops"}),
    refused("of what is no id", {"postroom:refused": "oops"}, {"postroom:refused": "oops"}, "x y"),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_claim_foreign(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
