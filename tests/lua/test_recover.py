"""recover.lua: what a dead worker process held goes back to its queues."""

from typing import Any

import pytest
import redis

from postroom import Postroom
from postroom.jobs import calls
from tests.lua.table import AT, Call, Refused, Row, Table, Then, ZSet, event, job, lasting

INF = float("inf")
CLAIM: dict[str, Any] = {"worker_name": "w1", "p_token": 7}
TOLD: dict[str, Any] = {"p_failures": 1, "p:failure:0": "D"}
"""What is told of a charged job."""


def recover(*charged: str, now: Any = 1000) -> Call:
    """One call, for process w1; `charged` are members, `<id>:<token>`, and what is told of each is "D"."""
    return Call("recover", {"now": now}, [part for one in charged for part in (one, "D")])


def entry_only(why: str, **standing: Any) -> Row:
    """An entry of w1 whose job a it no longer holds: the entry goes, the job stays what it is, also where charged."""
    return Row(
        f"{why}: only its entries go",
        {
            **standing,
            "rq:wip:q": ZSet({"a:7": INF, "a:8": INF}),
            "postroom:held:w1": {"@q": "1 7", "a:7": "q"},
            "postroom:leases": ZSet(w1=900, w2=900),
        },
        recover("a:7"),
        Then([], {**standing, "rq:wip:q": ZSet({"a:8": INF}), "postroom:leases": ZSet(w2=900)}),
        again=Then([]),
    )


def whole(name: str, call: Call, leases: dict[str, float], left: dict[str, Any]) -> Row:
    """Process w1 held job a."""
    return Row(
        name,
        {
            "rq:job:a": job("started", **CLAIM),
            "rq:wip:q": ZSet({"a:7": INF}),
            "postroom:held:w1": {"@q": "1 7", "a:7": "q"},
            **({"postroom:leases": ZSet(leases)} if leases else {}),
        },
        call,
        Then(
            ["a"],
            {
                "rq:queue:q": ["a"],
                "rq:job:a": job("queued", worker_name="w1", enqueued_at=AT, p_redelivered=1),
                **left,
            },
            [event("recovered", "a")],
        ),
        again=Then([]),
    )


ROWS = (
    Row(
        "what it held goes back to the heads of its queues, in the old order, and counts a redelivery",
        {
            "rq:queue:q": ["x"],
            "rq:job:a": job("started", **CLAIM, p_attempt=1, p_redelivered=2),
            "rq:job:b": job("started", **CLAIM),
            "rq:job:c": job("started", worker_name="w1", p_token=8, origin="r"),
            "rq:wip:q": ZSet({"a:7": INF, "b:7": INF, "d:9": INF}),
            "rq:wip:r": ZSet({"c:8": INF}),
            "postroom:held:w1": {"@q": "1 7", "a:7": "q", "b:7": "q", "@r": "1 8", "c:8": "r"},
            "postroom:held:w2": {"@q": "1 9", "d:9": "q"},
            "postroom:leases": ZSet(w1=999, w2=1005),
        },
        recover(),
        Then(
            ["c", "b", "a"],
            {
                "rq:queue:q": ["a", "b", "x"],
                "rq:queue:r": ["c"],
                "rq:job:a": job("queued", worker_name="w1", p_attempt=1, p_redelivered=3, enqueued_at=AT),
                "rq:job:b": job("queued", worker_name="w1", p_redelivered=1, enqueued_at=AT),
                "rq:job:c": job("queued", worker_name="w1", p_redelivered=1, enqueued_at=AT, origin="r"),
                "rq:wip:q": ZSet({"d:9": INF}),
                "postroom:held:w2": {"@q": "1 9", "d:9": "q"},
                "postroom:leases": ZSet(w2=1005),
            },
            [event("recovered", "b", "a"), event("recovered", "c", queue="r")],
        ),
        again=Then([]),
    ),
    Row(
        "what is charged counts a death and keeps how; the rest of what it held goes back free",
        {
            "rq:job:a": job("started", **CLAIM, p_deaths=1, p_redelivered=1),
            "rq:job:b": job("started", **CLAIM, p_deaths=1),
            "rq:job:c": job("started", worker_name="w1", p_token=8),
            "rq:job:d": job("started", worker_name="w1", p_token=8, origin="r"),
            "rq:job:e": job("finished", **CLAIM),
            "rq:job:f": job("started", worker_name="w2", p_token=9),
            "rq:wip:q": ZSet({"a:7": INF, "b:7": INF, "c:8": INF, "f:9": INF}),
            "rq:wip:r": ZSet({"d:8": INF}),
            "postroom:held:w1": {"@q": "2 8", "@r": "1 8", "a:7": "q", "b:7": "q", "c:8": "q", "d:8": "r", "e:7": "q"},
            "postroom:held:w2": {"@q": "1 9", "f:9": "q"},
            "postroom:leases": ZSet(w1=900, w2=1005),
        },
        # Of c an earlier claim is charged, e has ended, f is another's, and g is nobody's.
        recover("a:7", "d:8", "c:7", "e:7", "f:9", "g:7"),
        Then(
            ["d", "c", "b", "a"],
            {
                "rq:queue:q": ["a", "b", "c"],
                "rq:queue:r": ["d"],
                "rq:job:a": job("queued", worker_name="w1", p_deaths=2, **TOLD, p_redelivered=2, enqueued_at=AT),
                "rq:job:b": job("queued", worker_name="w1", p_deaths=1, p_redelivered=1, enqueued_at=AT),
                "rq:job:c": job("queued", worker_name="w1", p_redelivered=1, enqueued_at=AT),
                "rq:job:d": job(
                    "queued",
                    worker_name="w1",
                    p_deaths=1,
                    **TOLD,
                    p_redelivered=1,
                    enqueued_at=AT,
                    origin="r",
                ),
                "rq:job:e": job("finished", **CLAIM),
                "rq:job:f": job("started", worker_name="w2", p_token=9),
                "rq:wip:q": ZSet({"f:9": INF}),
                "postroom:held:w2": {"@q": "1 9", "f:9": "q"},
                "postroom:leases": ZSet(w2=1005),
            },
            [event("recovered", "c", "b", "a"), event("recovered", "d", queue="r")],
        ),
        again=Then([]),
    ),
    Row(
        "its lease runs: nothing",
        {
            "rq:job:a": job("started", **CLAIM),
            "rq:wip:q": ZSet({"a:7": INF}),
            "postroom:held:w1": {"@q": "1 7", "a:7": "q"},
            "postroom:leases": ZSet(w1=1000.5),
        },
        recover("a:7"),
        Then([]),
        again=Then([]),
    ),
    Row(
        "its lease runs by the server's clock: nothing",
        {"rq:job:a": job("started", **CLAIM), "postroom:held:w1": {"a:7": "q"}, "postroom:leases": ZSet(w1=9e9)},
        recover(now=""),
        Then([]),
        again=Then([]),
    ),
    whole("its lease has ended by the server's clock", recover(now=""), {"w1": 1000}, {}),
    whole("its lease ends now", recover(), {"w1": 1000}, {}),
    whole("its lease is gone", recover(), {"w2": 1000}, {"postroom:leases": ZSet(w2=1000)}),
    whole("it resigns, whatever its lease", recover(now="inf"), {"w1": 1010}, {}),
    Row(
        "it held nothing",
        {"postroom:held:w1": {"@q": "1 7"}, "postroom:leases": ZSet(w1=900)},
        recover(),
        Then([], {}),
        again=Then([]),
    ),
    entry_only("settled", **{"rq:job:a": job("finished", **CLAIM)}),
    entry_only("canceled", **{"rq:job:a": job("canceled", **CLAIM)}),
    entry_only("deleted"),
    entry_only("another's by now", **{"rq:job:a": job("started", worker_name="w2", p_token=8)}),
    entry_only("no hash", **{"rq:job:a": "oops"}),
    Row(
        "counters that are no numbers count anew",
        {
            "rq:job:a": job("started", **CLAIM, p_redelivered="x", p_deaths=""),
            "postroom:held:w1": {"a:7": "q"},
            "postroom:leases": ZSet(w1=900),
        },
        recover("a:7"),
        Then(
            ["a"],
            {
                "rq:queue:q": ["a"],
                "rq:job:a": job("queued", worker_name="w1", p_redelivered=1, p_deaths=1, **TOLD, enqueued_at=AT),
            },
            [event("recovered", "a")],
        ),
        again=Then([]),
    ),
    *(
        Row(
            f"a foreign key in the place of {place}: refused, and the job is still held",
            {
                "rq:job:a": job("started", **CLAIM),
                "rq:wip:q": ZSet({"a:7": INF}),
                "postroom:held:w1": {"a:7": "q"},
                "postroom:leases": ZSet(w1=900),
                place: "oops",
            },
            recover("a:7"),
            Then(Refused("WRONGTYPE")),
            again=Then(Refused("WRONGTYPE")),
        )
        for place in ("rq:queue:q", "rq:wip:q")
    ),
    Row(
        "its announcement is taken back, and no other",
        {
            "postroom:leases": ZSet(w1=900, w2=900),
            "rq:worker:w1": lasting(480, {"p:queues": "q r", "pid": "7"}),
            "rq:worker:w2": lasting(480, {"p:queues": "q", "pid": "8"}),
            "rq:workers": {"rq:worker:w1", "rq:worker:w2"},
            "rq:workers:q": {"rq:worker:w1", "rq:worker:w2"},
            "rq:workers:r": {"rq:worker:w1"},
        },
        recover(),
        Then(
            [],
            {
                "postroom:leases": ZSet(w2=900),
                "rq:worker:w2": lasting(480, {"p:queues": "q", "pid": "8"}),
                "rq:workers": {"rq:worker:w2"},
                "rq:workers:q": {"rq:worker:w2"},
            },
        ),
        again=Then([]),
    ),
    Row(
        "its announcement has run out before: its key goes all the same",
        {"postroom:leases": ZSet(w1=900), "rq:workers": {"rq:worker:w1", "rq:worker:w2"}},
        recover(),
        Then([], {"rq:workers": {"rq:worker:w2"}}),
        again=Then([]),
    ),
    Row(
        "it has renewed: what it announced stands",
        {
            "postroom:leases": ZSet(w1=1001),
            "rq:worker:w1": lasting(480, {"p:queues": "q"}),
            "rq:workers": {"rq:worker:w1"},
            "rq:workers:q": {"rq:worker:w1"},
        },
        recover(),
        Then([]),
        again=Then([]),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_recover(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)


@pytest.mark.parametrize(("held", "calls_made"), [(499, [499, 0]), (500, [500, 0]), (1201, [500, 500, 201, 0])])
def test_a_process_that_held_many(held: int, calls_made: list[int], app: Postroom, client: redis.Redis) -> None:
    """Called until it says that nothing is left, it puts every job back once."""
    ids = [f"j{i}" for i in range(held)]
    with client.pipeline(transaction=False) as pipe:
        for job_id in ids:
            pipe.hset(f"rq:job:{job_id}", mapping={"status": "started", "worker_name": "w1", "p:token": "7"})
            pipe.hset("postroom:held:w1", f"{job_id}:7", "q")
            pipe.zadd("rq:wip:q", {f"{job_id}:7": INF})
        pipe.hset("postroom:held:w1", "@q", "1 7")
        pipe.zadd("postroom:leases", {"w1": 1})
        pipe.execute()
    assert [len(app.broker.run(calls.recover(app.keys, "w1"))) for _ in calls_made] == calls_made
    assert sorted(client.lrange("rq:queue:q", 0, -1)) == sorted(job_id.encode() for job_id in ids)
    assert client.exists("postroom:held:w1", "postroom:leases", "rq:wip:q") == 0
