"""announce.lua: a worker process says what it takes and which tasks it knows."""

from typing import Any

import pytest

from tests.lua.table import AT, Call, FromNow, Row, Table, Then, ZSet, lasting

LEASE: dict[str, Any] = {"postroom:leases": ZSet(w1=1001)}


def announce(*tasks: str, queues: str = "q r", **fields: Any) -> Call:
    """One call, of process w1; it stands for 480 s."""
    flat = [part for pair in fields.items() for part in pair]
    return Call("announce", {"queue_names": queues, "ttl": 480, "rarely": 300, "count": len(flat)}, [*flat, *tasks])


def came(*queues: str) -> dict[str, Any]:
    """To these its code is new."""
    return {f"postroom:came:{queue}": lasting(300, "1000") for queue in queues}


def said(queues: str = "q r", **fields: Any) -> Any:
    """The hash that it leaves."""
    return lasting(480, {"p:queues": queues, "last_heartbeat": AT, "birth": AT, **fields})


ROWS = (
    Row(
        "it is entered where RQ's readers look, with what it says and the tasks that it knows",
        LEASE,
        announce("a", "b", pid=7, state="idle"),
        Then(
            1,
            {
                **LEASE,
                "rq:worker:w1": said(pid="7", state="idle"),
                "rq:workers": {"rq:worker:w1"},
                "rq:workers:q": {"rq:worker:w1"},
                "rq:workers:r": {"rq:worker:w1"},
                "postroom:tasks:d1": lasting(480, {"a", "b"}),
                **came("q", "r"),
            },
        ),
        again=Then(1),
    ),
    Row(
        "again, later: all of it stands anew, and it was born when it was; the tasks are known by their digest",
        {
            **LEASE,
            "rq:worker:w1": lasting(100, {"p:queues": "q", "last_heartbeat": "H", "birth": "B", "state": "busy"}),
            "rq:workers": {"rq:worker:w1", "rq:worker:w2"},
            "rq:workers:q": {"rq:worker:w1", "rq:worker:w2"},
            "postroom:tasks:d1": lasting(100, {"x"}),
        },
        announce("a", queues="q", state="idle"),
        Then(
            1,
            {
                **LEASE,
                "rq:worker:w1": said("q", birth="B", state="idle"),
                "rq:workers": {"rq:worker:w1", "rq:worker:w2"},
                "rq:workers:q": {"rq:worker:w1", "rq:worker:w2"},
                "postroom:tasks:d1": lasting(480, {"x"}),
            },
        ),
        again=Then(1),
    ),
    Row(
        "it knows no task",
        LEASE,
        announce(queues="q"),
        Then(
            1,
            {
                **LEASE,
                "rq:worker:w1": said("q"),
                "rq:workers": {"rq:worker:w1"},
                "rq:workers:q": {"rq:worker:w1"},
                **came("q"),
            },
        ),
        again=Then(1),
    ),
    Row(
        "another worker of the queue has the same code, and one of another queue: to that of the other only it is new",
        {
            **LEASE,
            "rq:workers:q": {"rq:worker:w2", "rq:worker:rq"},
            "rq:workers:r": {"rq:worker:w3", "rq:worker:w4"},
            "rq:worker:w2": {"p:tasks": "d1"},
            "rq:worker:w3": {"p:tasks": "d2"},
            "rq:worker:w4": "oops",
            "rq:worker:rq": {"queues": "q"},
        },
        announce("a"),
        Then(
            1,
            {
                **LEASE,
                "rq:worker:w1": said(),
                "rq:worker:w2": {"p:tasks": "d1"},
                "rq:worker:w3": {"p:tasks": "d2"},
                "rq:worker:w4": "oops",
                "rq:worker:rq": {"queues": "q"},
                "rq:workers": {"rq:worker:w1"},
                "rq:workers:q": {"rq:worker:w1", "rq:worker:w2", "rq:worker:rq"},
                "rq:workers:r": {"rq:worker:w1", "rq:worker:w3", "rq:worker:w4"},
                "postroom:tasks:d1": lasting(480, {"a"}),
                **came("r"),
            },
        ),
        again=Then(1),
    ),
    Row(
        "by the server's clock; of an older process by its name nothing is left",
        {**LEASE, "rq:workers:q": {"rq:worker:w2"}},
        Call("announce", {"queue_names": "q", "ttl": 480, "rarely": 300, "count": 2, "now": ""}, ["p:tasks", "d1"]),
        Then(
            1,
            {
                **LEASE,
                "rq:worker:w1": said("q", **{"p:tasks": "d1"}),
                "rq:workers": {"rq:worker:w1"},
                "rq:workers:q": {"rq:worker:w1", "rq:worker:w2"},
                "postroom:came:q": lasting(300, FromNow(0)),
            },
        ),
        again=Then(1),
    ),
    Row(
        "it has no lease: it has resigned, and this comes late",
        {"postroom:leases": ZSet(w2=1001)},
        announce("a"),
        Then(0),
        again=Then(0),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_announce(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
