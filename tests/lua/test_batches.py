"""Batches of 500, the most that any call has: Lua's `unpack` carries them, and a replay of each changes nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from postroom import Postroom
from postroom.jobs import calls
from postroom.jobs.messages import Batch, Placement
from tests.lua.table import Table

IDS = [f"job-{i:03}" for i in range(500)]
HASHES = {f"rq:job:{job_id}" for job_id in IDS}
TOKEN = 1
S, E = "2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:01.000000Z"
LEASES = {"postroom:leases", "postroom:held:w1", "postroom:token"}


def enqueue(app: Postroom, where: str = "back") -> list[str]:
    """All of them in one call."""
    status = "scheduled" if where == "scheduled" else "queued"
    batch = Batch(["origin", "q", "status", status, "p:type", "j"])
    for job_id in IDS:
        batch.add(job_id, "", b"[]")
    return app.broker.run(calls.enqueue(app.keys, "q", batch, Placement(where, due=1 if where == "scheduled" else "")))


def claim(app: Postroom) -> list[Any]:
    """All of them in one call, of a process that has joined."""
    app.broker.run(calls.join(app.keys, "w1", 12, {"q": 0}))
    return claim_again(app)


def claim_again(app: Postroom) -> list[Any]:
    """The call itself."""
    return app.broker.run(calls.claim(app.keys, "q", "w1", 1, 500, 12))


def settle(app: Postroom, name: str, *rest: Any, **args: Any) -> list[str]:
    """All of them in one call, under the token of the first claim."""
    jobs = [part for job_id in IDS for part in (job_id, TOKEN, *rest)]
    return app.broker.run(calls.settle(name, app.keys, "q", "w1", jobs, **args))


@pytest.mark.parametrize("where", ["back", "front", "scheduled"])
def test_enqueue(where: str, app: Postroom, table: Table) -> None:
    """Their order is the list's."""
    assert enqueue(app, where) == IDS
    before = table.space()
    assert enqueue(app, where) == IDS
    assert table.space() == before
    place = "rq:scheduled:q" if where == "scheduled" else "rq:queue:q"
    assert list(before[place]) == IDS
    assert before.keys() == {"rq:queues", place} | HASHES


def test_claim(app: Postroom, table: Table) -> None:
    """A replay gets the same 500, though not in the same order."""
    enqueue(app)
    first = claim(app)
    before = table.space()
    again = claim_again(app)
    assert [row[-1] for row in first[1:]] == [job_id.encode() for job_id in IDS]
    assert sorted(row[-1] for row in again[1:]) == sorted(row[-1] for row in first[1:])
    assert (first[0], again[0]) == (b"1", b"1")
    assert table.space() == before


SETTLED: dict[str, tuple[Callable[[Postroom], list[str]], set[str]]] = {
    "complete": (
        lambda app: settle(app, "complete", "42", S, E, 500, "", keep=10, trim_before=S),
        {"rq:finished:q"},
    ),
    "complete, RQ's": (
        lambda app: settle(app, "complete", "", S, E, 500, '["type", "1"]', keep=1000, trim_before=S),
        {"rq:finished:q", *(f"rq:results:{job_id}" for job_id in IDS)},
    ),
    "bury": (lambda app: settle(app, "bury", 900, "", "D", 2, "p:reason", "R"), {"rq:failed:q", "postroom:dead"}),
    "retry": (lambda app: settle(app, "retry", 0, "back", "D", 2, "p:attempt", 1), {"rq:queue:q"}),
    "retry, later": (lambda app: settle(app, "retry", 60, "back", "D", 2, "p:attempt", 1), {"rq:scheduled:q"}),
    "decline": (lambda app: settle(app, "decline", "shop.x", "", "task shop.x", 300), {"postroom:declined:q"}),
    "release": (lambda app: settle(app, "release"), {"rq:queue:q"}),
}


@pytest.mark.parametrize("name", SETTLED)
def test_settle(name: str, app: Postroom, table: Table) -> None:
    """Each is accepted once."""
    call, written = SETTLED[name]
    enqueue(app)
    claim(app)
    assert call(app) == ["OK"] * 500
    before = table.space()
    assert call(app) == ["ALREADY"] * 500
    assert table.space() == before
    assert before.keys() == {"rq:queues"} | LEASES | HASHES | written


def test_renew(app: Postroom, table: Table) -> None:
    """500 long jobs have started."""
    enqueue(app)
    claim(app)
    started = [part for job_id in IDS for part in (job_id, TOKEN, S)]
    assert app.broker.run(calls.renew(app.keys, "w1", 12, started))
    assert {value["started_at"] for key, value in table.space().items() if key in HASHES} == {S}


def test_recover(app: Postroom, table: Table) -> None:
    """500 jobs of a process that is gone, and each is charged with it."""
    enqueue(app)
    claim(app)
    told = [part for job_id in IDS for part in (f"{job_id}:{TOKEN}", "D")]
    recover = calls.recover(app.keys, "w1", resigned=True, charged=told)
    assert [len(app.broker.run(recover)) for _ in range(2)] == [500, 0]
    after = table.space()
    assert app.broker.run(recover) == []
    assert table.space() == after
    assert {(after[key]["p:deaths"], after[key]["p:failure:0"]) for key in HASHES} == {("1", "D")}
    assert sorted(after["rq:queue:q"]) == IDS
    assert after.keys() == {"rq:queues", "rq:queue:q", "postroom:token"} | HASHES


def test_promote(app: Postroom, table: Table) -> None:
    """500 jobs are due; which of equal time is first is the order of their ids."""
    enqueue(app, "scheduled")
    assert [app.broker.run(calls.promote(app.keys, "q", 500)) for _ in range(2)] == [500, 0]
    after = table.space()
    assert after["rq:queue:q"] == IDS
    assert after.keys() == {"rq:queues", "rq:queue:q"} | HASHES


def test_retain(app: Postroom, table: Table) -> None:
    """500 canceled jobs are past their time."""
    enqueue(app)
    app.broker.run_many([calls.cancel(app.keys, job_id) for job_id in IDS])
    assert [app.broker.run(calls.retain(app.keys, "q", -1, 10**6, 500)) for _ in range(2)] == [500, 0]
    assert table.space().keys() == {"rq:queues", "rq:queue:q"}
