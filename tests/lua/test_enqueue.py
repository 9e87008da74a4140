"""enqueue.lua: new jobs of one queue."""

from typing import Any

import pytest

from tests.lua.table import Call, FromNow, Refused, Row, Table, Then, ZSet, job, lasting


def new(job_id: str, nonce: str = "") -> list[str]:
    """One job as the script takes it."""
    return [job_id, nonce, "[]"]


def enqueue(
    *jobs: list[str], where: str = "back", due: Any = "", delay: Any = "", now: Any = 1000, **fields: Any
) -> Call:
    """One call."""
    hashed = job("scheduled" if where == "scheduled" else "queued", **fields)
    common = [part for name, value in hashed.items() if name != "data" for part in (name, value)]
    args = {"where": where, "due": due, "delay": delay, "now": now, "count": len(common)}
    return Call("enqueue", args, [*common, *(part for one in jobs for part in one)])


QUEUES = {"rq:queue:q"}

ROWS = (
    Row(
        "the ids go to the back of the list, the queue is known, the hashes are written",
        {"rq:queue:q": ["x"]},
        enqueue(new("a"), new("b"), timeout=30),
        Then(
            [1, 1],
            {
                "rq:queues": QUEUES,
                "rq:queue:q": ["x", "a", "b"],
                "rq:job:a": job("queued", timeout=30),
                "rq:job:b": job("queued", timeout=30),
            },
        ),
        again=Then([0, 0]),
    ),
    Row(
        "at the front a batch keeps its order",
        {"rq:queue:q": ["x"], "rq:queues": {"rq:queue:r"}},
        enqueue(new("a"), new("b"), where="front"),
        Then(
            [1, 1],
            {
                "rq:queues": {"rq:queue:q", "rq:queue:r"},
                "rq:queue:q": ["a", "b", "x"],
                "rq:job:a": job("queued"),
                "rq:job:b": job("queued"),
            },
        ),
        again=Then([0, 0]),
    ),
    Row(
        "scheduled jobs wait by the time they are due",
        {"rq:scheduled:q": ZSet(x=1010)},
        enqueue(new("a"), new("b"), where="scheduled", due=5000.25),
        Then(
            [1, 1],
            {
                "rq:queues": QUEUES,
                "rq:scheduled:q": ZSet(x=1010, a=5000.25, b=5000.25),
                "rq:job:a": job("scheduled"),
                "rq:job:b": job("scheduled"),
            },
        ),
        again=Then([0, 0]),
    ),
    Row(
        "a delay counts from now",
        {},
        enqueue(new("a"), where="scheduled", delay=60.5),
        Then([1], {"rq:queues": QUEUES, "rq:scheduled:q": ZSet(a=1060.5), "rq:job:a": job("scheduled")}),
        again=Then([0]),
    ),
    Row(
        "a delay counts by the server's clock",
        {},
        enqueue(new("a"), where="scheduled", delay=60, now=""),
        Then([1], {"rq:queues": QUEUES, "rq:scheduled:q": ZSet(a=FromNow(60)), "rq:job:a": job("scheduled")}),
        again=Then([0]),
    ),
    Row(
        "a caller's own id is kept with its nonce",
        {},
        enqueue(new("a", "n1")),
        Then([1], {"rq:queues": QUEUES, "rq:queue:q": ["a"], "rq:job:a": job("queued", p_nonce="n1")}),
        again=Then([0]),
    ),
    Row(
        "a replay changes nothing, however far the job has come",
        {"rq:job:a": job("finished", p_nonce="n1"), "rq:job:b": job("started", p_token=7)},
        enqueue(new("a", "n1"), new("b")),
        Then([0, 0]),
        again=Then([0, 0]),
    ),
    Row(
        "a rival gets -1, and the others of its batch are written",
        {"rq:job:b": job("started", p_nonce="n1")},
        enqueue(new("a"), new("b", "n2"), new("c")),
        Then(
            [1, -1, 1],
            {
                "rq:queues": QUEUES,
                "rq:queue:q": ["a", "c"],
                "rq:job:a": job("queued"),
                "rq:job:b": job("started", p_nonce="n1"),
                "rq:job:c": job("queued"),
            },
        ),
        again=Then([0, -1, 0]),
    ),
    Row(
        "a job without a nonce, RQ's for one, is nobody's replay",
        {"rq:job:a": job("queued")},
        enqueue(new("a", "n1")),
        Then([-1]),
        again=Then([-1]),
    ),
    Row(
        "a key of another type has the id, too",
        {"rq:job:a": "oops", "rq:job:b": "oops"},
        enqueue(new("a", "n1"), new("b")),
        Then([-1, 0]),
        again=Then([-1, 0]),
    ),
    Row(
        "a replay is told of a deleted job by its tombstone",
        {"postroom:gone:a": lasting(60, "7 n1"), "postroom:gone:b": lasting(60, "7 ")},
        enqueue(new("a", "n1"), new("b")),
        Then([0, 0]),
        again=Then([0, 0]),
    ),
    Row(
        "a tombstone does not keep its id from another's job",
        {"postroom:gone:a": lasting(60, "7 n1")},
        enqueue(new("a", "n2")),
        Then(
            [1],
            {
                "postroom:gone:a": lasting(60, "7 n1"),
                "rq:queues": QUEUES,
                "rq:queue:q": ["a"],
                "rq:job:a": job("queued", p_nonce="n2"),
            },
        ),
        again=Then([0]),
    ),
    Row(
        "where a hash and a tombstone have the id, the hash decides",
        {"postroom:gone:a": lasting(60, "7 n1"), "rq:job:a": job("queued", p_nonce="n2")},
        enqueue(new("a", "n1")),
        Then([-1]),
        again=Then([-1]),
    ),
    Row(
        "an id twice in one batch: the first has it",
        {},
        enqueue(new("a", "n1"), new("a", "n2"), new("b"), new("b", "n3")),
        Then(
            [1, -1, 1, -1],
            {
                "rq:queues": QUEUES,
                "rq:queue:q": ["a", "b"],
                "rq:job:a": job("queued", p_nonce="n1"),
                "rq:job:b": job("queued"),
            },
        ),
        again=Then([0, -1, 0, -1]),
    ),
    *(
        Row(
            f"a foreign key in the place of the {key}: refused, and nothing is written",
            {key: "oops"},
            enqueue(new("a"), where=where, delay=1),
            Then(Refused("WRONGTYPE")),
            again=Then(Refused("WRONGTYPE")),
        )
        for key, where in (("rq:queue:q", "back"), ("rq:queue:q", "front"), ("rq:scheduled:q", "scheduled"))
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_enqueue(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
