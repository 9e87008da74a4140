"""enqueue_keyed.lua: new jobs in the lines of their keys."""

from typing import Any

import pytest

from tests.lua.line import BUSY, LINE, keyed, line
from tests.lua.table import AT, Call, FromNow, Refused, Row, Table, Then, ZSet, job, lasting


def new(job_id: str, key: str = "k", nonce: str = "") -> list[str]:
    """One job as the script takes it."""
    return [job_id, nonce, "[]", key]


def enqueue(
    *jobs: list[str], where: str = "back", due: Any = "", delay: Any = "", now: Any = 1000, **fields: Any
) -> Call:
    """One call."""
    hashed = job("scheduled" if where == "scheduled" else "queued", **fields)
    common = [part for name, value in hashed.items() if name != "data" for part in (name, value)]
    args = {"where": where, "due": due, "delay": delay, "now": now, "count": len(common)}
    return Call("enqueue_keyed", args, [*common, *(part for one in jobs for part in one)])


def refused(where: str, key: str, **written: Any) -> Row:
    """A foreign key stands in the place of `key`; `written` comes before. b would be first of its line, a waits."""
    standing = {LINE: line("x"), "rq:job:x": keyed("queued"), BUSY: ZSet(k=990), key: "oops"}
    return Row(
        f"a foreign key in the place of {where}: refused, and no job is there",
        standing,
        enqueue(new("a"), new("b", "l")),
        Then(Refused("WRONGTYPE"), {**standing, **written}),
        again=Then(
            Refused("WRONGTYPE"), {**standing, **{k: v * 2 if k == "rq:queue:q" else v for k, v in written.items()}}
        ),
    )


QUEUES = {"rq:queue:q"}
WAITS: dict[str, Any] = {"p_due": ""}

ROWS = (
    Row(
        "the first goes to the queue and holds the key, those behind wait; other keys go on, and who has none",
        {"rq:queue:q": ["x"], "postroom:key:l": line("y")},
        enqueue(new("a"), new("b"), new("c", "m"), new("d", ""), new("e", "l"), timeout=30),
        Then(
            [1, 1, 1, 1, 1],
            {
                "rq:queues": QUEUES,
                "rq:queue:q": ["x", "a", "c", "d"],
                "rq:deferred:q": ZSet(b=1000, e=1000),
                "rq:job:a": keyed("queued", p_turn=AT, timeout=30),
                "rq:job:b": keyed("deferred", **WAITS, timeout=30),
                "rq:job:c": keyed("queued", p_key="m", p_turn=AT, timeout=30),
                "rq:job:d": job("queued", timeout=30),
                "rq:job:e": keyed("deferred", p_key="l", **WAITS, timeout=30),
                LINE: line("a", "b"),
                "postroom:key:l": line("y", "e"),
                "postroom:key:m": line("c"),
                BUSY: ZSet(k=1000, l=1000, m=1000),
            },
        ),
        again=Then([0, 0, 0, 0, 0]),
    ),
    Row(
        "behind those that are there: at the end, wherever the line has begun; when it was looked at stays",
        {LINE: ZSet(x=40, y=70), BUSY: ZSet(k=990)},
        enqueue(new("a"), new("b")),
        Then(
            [1, 1],
            {
                "rq:queues": QUEUES,
                "rq:deferred:q": ZSet(a=1000, b=1000),
                "rq:job:a": keyed("deferred", **WAITS),
                "rq:job:b": keyed("deferred", **WAITS),
                LINE: ZSet(x=40, y=70, a=71, b=72),
                BUSY: ZSet(k=990),
            },
        ),
        again=Then([0, 0]),
    ),
    Row(
        "put off: the first waits for its time and holds the key, the one behind keeps its time for its turn",
        {},
        enqueue(new("a"), new("b"), where="scheduled", delay=60),
        Then(
            [1, 1],
            {
                "rq:queues": QUEUES,
                "rq:scheduled:q": ZSet(a=1060),
                "rq:deferred:q": ZSet(b=1000),
                "rq:job:a": keyed("scheduled", p_turn=AT),
                "rq:job:b": keyed("deferred", p_due=1060),
                LINE: line("a", "b"),
                BUSY: ZSet(k=1000),
            },
        ),
        again=Then([0, 0]),
    ),
    Row(
        "put off to a time",
        {LINE: line("x"), BUSY: ZSet(k=990)},
        enqueue(new("a"), where="scheduled", due=1234.5),
        Then(
            [1],
            {
                "rq:queues": QUEUES,
                "rq:deferred:q": ZSet(a=1000),
                "rq:job:a": keyed("deferred", p_due=1234.5),
                LINE: line("x", "a"),
                BUSY: ZSet(k=990),
            },
        ),
        again=Then([0]),
    ),
    Row(
        "to the front of the queue, not of the line",
        {"rq:queue:q": ["x"]},
        enqueue(new("a"), new("b"), new("c", ""), where="front", enqueue_at_front=1),
        Then(
            [1, 1, 1],
            {
                "rq:queues": QUEUES,
                "rq:queue:q": ["a", "c", "x"],
                "rq:deferred:q": ZSet(b=1000),
                "rq:job:a": keyed("queued", p_turn=AT, enqueue_at_front=1),
                "rq:job:b": keyed("deferred", **WAITS, enqueue_at_front=1),
                "rq:job:c": job("queued", enqueue_at_front=1),
                LINE: line("a", "b"),
                BUSY: ZSet(k=1000),
            },
        ),
        again=Then([0, 0, 0]),
    ),
    Row(
        "by the server's clock",
        {},
        enqueue(new("a"), new("b"), now=""),
        Then(
            [1, 1],
            {
                "rq:queues": QUEUES,
                "rq:queue:q": ["a"],
                "rq:deferred:q": ZSet(b=FromNow(0)),
                "rq:job:a": keyed("queued", p_turn=AT),
                "rq:job:b": keyed("deferred", **WAITS),
                LINE: line("a", "b"),
                BUSY: ZSet(k=FromNow(0)),
            },
        ),
        again=Then([0, 0]),
    ),
    Row(
        "an id of the caller's: a replay by its nonce, a rival's, and what was deleted",
        {
            "rq:job:a": keyed("queued", p_nonce="n1"),
            "rq:job:b": keyed("queued", p_nonce="n2"),
            "postroom:gone:c": lasting(60, "delete-d1 n1"),
            LINE: line("a", "b"),
            BUSY: ZSet(k=990),
        },
        enqueue(new("a", nonce="n1"), new("b", nonce="n1"), new("c", nonce="n1"), new("d", nonce="n1")),
        Then(
            [0, -1, 0, 1],
            {
                "rq:queues": QUEUES,
                "rq:job:a": keyed("queued", p_nonce="n1"),
                "rq:job:b": keyed("queued", p_nonce="n2"),
                "postroom:gone:c": lasting(60, "delete-d1 n1"),
                "rq:job:d": keyed("deferred", **WAITS, p_nonce="n1"),
                "rq:deferred:q": ZSet(d=1000),
                LINE: line("a", "b", "d"),
                BUSY: ZSet(k=990),
            },
        ),
        again=Then([0, -1, 0, 0]),
    ),
    Row(
        "an earlier call has failed after it took its place in the line: it has it still",
        {LINE: line("a", "b"), BUSY: ZSet(k=990)},
        enqueue(new("b"), new("a")),
        Then(
            [1, 1],
            {
                "rq:queues": QUEUES,
                "rq:queue:q": ["a"],
                "rq:deferred:q": ZSet(b=1000),
                "rq:job:a": keyed("queued", p_turn=AT),
                "rq:job:b": keyed("deferred", **WAITS),
                LINE: line("a", "b"),
                BUSY: ZSet(k=990),
            },
        ),
        again=Then([0, 0]),
    ),
    # Mistakes that are nobody's job ----------------------------------------------------------------------------------
    refused("the line", LINE),
    refused("the queue", "rq:queue:q"),
    refused("those that wait", "rq:deferred:q", **{"rq:queue:q": ["b"]}),
    refused("the queues", "rq:queues", **{"rq:queue:q": ["b"], "rq:deferred:q": ZSet(a=1000)}),
    refused(
        "the busy keys",
        BUSY,
        **{"rq:queue:q": ["b"], "rq:deferred:q": ZSet(a=1000), "rq:queues": QUEUES},
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_enqueue_keyed(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
