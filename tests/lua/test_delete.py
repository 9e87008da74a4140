"""delete.lua: a job is forgotten, wherever it stands."""

import pytest

from tests.lua.table import Call, Row, Stream, Table, Then, ZSet, job, lasting, rq_job

INF = float("inf")
DELETE = Call("delete", {"nonce": "d1"})

ROWS = (
    *(
        Row(
            f"from the registry of the {registry}, and from no other queue's",
            {
                "rq:job:a": job(registry),
                f"rq:{registry}:q": ZSet(a=900, b=901),
                f"rq:{registry}:r": ZSet(a=900),
            },
            DELETE,
            Then(
                1,
                {
                    f"rq:{registry}:q": ZSet(b=901),
                    f"rq:{registry}:r": ZSet(a=900),
                    "postroom:gone:a": lasting(60, "delete-d1 "),
                },
            ),
            again=Then(1),
        )
        for registry in ("scheduled", "deferred", "finished", "failed", "canceled")
    ),
    Row(
        "declined: from those of its queue",
        {"rq:job:a": job("scheduled"), "postroom:declined:q": ZSet(a=900, b=901), "postroom:declined:r": ZSet(a=900)},
        DELETE,
        Then(
            1,
            {
                "postroom:declined:q": ZSet(b=901),
                "postroom:declined:r": ZSet(a=900),
                "postroom:gone:a": lasting(60, "delete-d1 "),
            },
        ),
        again=Then(1),
    ),
    Row(
        "queued: its id stays on the list, where the claim will drop it; the tombstone keeps its nonce",
        {"rq:queue:q": ["a"], "rq:job:a": job("queued", p_nonce="n1")},
        DELETE,
        Then(1, {"rq:queue:q": ["a"], "postroom:gone:a": lasting(60, "delete-d1 n1")}),
        again=Then(1),
    ),
    Row(
        "started: its worker still has it in its hands, under a token that the tombstone does not know",
        {
            "rq:job:a": job("started", worker_name="w1", p_token=7),
            "rq:wip:q": ZSet({"a:7": INF}),
            "postroom:held:w1": {"a:7": "q"},
        },
        DELETE,
        Then(
            1,
            {
                "rq:wip:q": ZSet({"a:7": INF}),
                "postroom:held:w1": {"a:7": "q"},
                "postroom:gone:a": lasting(60, "delete-d1 "),
            },
        ),
        again=Then(1),
    ),
    Row(
        "RQ's: with its results and with who waited for whom; it leaves its group",
        {
            "rq:job:a": rq_job("finished", group_id="g"),
            "rq:group:g": {"a", "b"},
            "rq:results:a": Stream([{"type": "1"}]),
            "rq:job:a:dependents": {"c"},
            "rq:job:c": rq_job("deferred"),
            "rq:job::a:dependencies": {"z"},
            "rq:job::c:dependencies": {"a"},
        },
        DELETE,
        Then(
            1,
            {
                "rq:group:g": {"b"},
                "rq:job:c": rq_job("deferred"),
                "rq:job::c:dependencies": {"a"},
                "postroom:gone:a": lasting(60, "delete-d1 "),
            },
        ),
        again=Then(1),
    ),
    Row(
        "of no group, as RQ writes it, and of no queue that it would tell",
        {"rq:job:a": rq_job("finished", group_id="", origin=None), "rq:group:": {"a"}, "rq:finished:": ZSet(a=1)},
        DELETE,
        Then(1, {"rq:group:": {"a"}, "rq:finished:": ZSet(a=1), "postroom:gone:a": lasting(60, "delete-d1 ")}),
        again=Then(1),
    ),
    Row(
        "another call has deleted it",
        {"postroom:gone:a": lasting(60, "delete-d0 n1")},
        DELETE,
        Then(0),
        again=Then(0),
    ),
    Row(
        "there is no such job: a tombstone of its last claim stays",
        {"postroom:gone:a": lasting(60, "7 n1"), "rq:finished:q": ZSet(a=1500)},
        DELETE,
        Then(0),
        again=Then(0),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_delete(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
