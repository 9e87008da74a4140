"""lib/rq.lua, by complete and bury: what RQ's worker does besides, for a job a that RQ's producer made."""

from typing import Any

import pytest

from tests.lua.table import AT, Call, Refused, Row, Stream, Table, Then, ZSet, event, lasting, rq_job

INF = float("inf")
CLAIM: dict[str, Any] = {"worker_name": "w1", "p_token": 7}
ENDED = {**CLAIM, "started_at": "S", "ended_at": "E", "result": ""}
DEAD = {**CLAIM, "started_at": "S", "ended_at": "E", "p_reason": "R", "exc_info": "T", "p_attempt": 1}
TOLD = Stream([{"queue": "q", "task": "", "jobs": '["a"]'}])
ENTRY = {"type": "1", "return_value": "NDI="}


def complete(ttl: int = 500, now: Any = 1000) -> Call:
    """Job a has returned."""
    entry = '["type", "1", "return_value", "NDI="]'
    return Call("complete", {"keep": 100, "trim_before": "B", "now": now}, ["a", 7, "", "S", "E", ttl, entry])


def bury(ttl: int) -> Call:
    """Job a has failed for good."""
    fields = ["p:reason", "R", "exc_info", "T", "started_at", "S", "ended_at", "E", "p:attempt", 1]
    return Call("bury", {}, ["a", 7, ttl, '["type", "2", "exc_string", "VA=="]', "", len(fields), *fields])


ROWS = (
    Row(
        "the result is an entry of RQ's stream; what stands beside the hash ends with it",
        {
            "rq:job:a": rq_job("started", **CLAIM),
            "rq:job:a:dependents": {"c"},
            "rq:job:c": rq_job("deferred"),
            "rq:job::c:dependencies": {"a", "b"},
            "rq:job:b": rq_job("queued"),
            "rq:job::a:dependencies": {"z"},
        },
        complete(),
        Then(
            ["OK"],
            {
                "rq:job:a": lasting(500, rq_job("finished", **ENDED)),
                "rq:results:a": lasting(500, Stream([ENTRY])),
                "rq:finished:q": ZSet(a=1500),
                "rq:job:a:dependents": lasting(500, {"c"}),
                "rq:job:c": rq_job("deferred"),
                "rq:job::c:dependencies": {"a", "b"},
                "rq:job:b": rq_job("queued"),
                "rq:job::a:dependencies": lasting(500, {"z"}),
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "ten results are kept",
        {"rq:job:a": rq_job("started", **CLAIM), "rq:results:a": Stream([{"type": str(i)} for i in range(10)])},
        complete(),
        Then(
            ["OK"],
            {
                "rq:job:a": lasting(500, rq_job("finished", **ENDED)),
                "rq:results:a": lasting(500, Stream([*({"type": str(i)} for i in range(1, 10)), ENTRY])),
                "rq:finished:q": ZSet(a=1500),
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "kept for ever: the results of an earlier failure no longer expire, either",
        {
            "rq:job:a": rq_job("started", **CLAIM),
            "rq:results:a": lasting(300, Stream([{"type": "2"}])),
            "rq:job::a:dependencies": {"z"},
        },
        complete(ttl=-1),
        Then(
            ["OK"],
            {
                "rq:job:a": rq_job("finished", **ENDED),
                "rq:results:a": Stream([{"type": "2"}, ENTRY]),
                "rq:finished:q": ZSet(a=INF),
                "rq:job::a:dependencies": {"z"},
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "rq.Group and result_ttl=0: it is deleted, and leaves its group; its dependents are still asked",
        {
            "rq:job:a": rq_job("started", **CLAIM, group_id="g"),
            "rq:group:g": {"a", "b"},
            "rq:job::a:dependencies": {"z"},
            "rq:job:a:dependents": {"c", "d"},
            "rq:job:c": rq_job("deferred"),
            "rq:job::c:dependencies": {"a"},
            "rq:job:d": rq_job("deferred"),
            "rq:job::d:dependencies": {"a", "b"},
            "rq:job:b": rq_job("queued"),
        },
        complete(ttl=0),
        Then(
            ["OK"],
            {
                "postroom:gone:a": lasting(60, "7 "),
                "rq:group:g": {"b"},
                "rq:job::a:dependencies": lasting(60, {"z"}),
                "rq:job:a:dependents": lasting(60, {"d"}),
                "rq:queues": {"rq:queue:q"},
                "rq:queue:q": ["c"],
                "rq:job:c": rq_job("queued", enqueued_at=AT),
                "rq:job::c:dependencies": {"a"},
                "rq:job:d": rq_job("deferred"),
                "rq:job::d:dependencies": {"a", "b"},
                "rq:job:b": rq_job("queued"),
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "rq.Group: a job that is kept stays in its group",
        {"rq:job:a": rq_job("started", **CLAIM, group_id="g"), "rq:group:g": {"a"}},
        complete(),
        Then(
            ["OK"],
            {
                "rq:job:a": lasting(500, rq_job("finished", **ENDED, group_id="g")),
                "rq:group:g": {"a"},
                "rq:results:a": lasting(500, Stream([ENTRY])),
                "rq:finished:q": ZSet(a=1500),
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    # rq.Repeat -------------------------------------------------------------------------------------------------------
    Row(
        "rq.Repeat without an interval: back to the queue at once; its dependents are enqueued the first time",
        {
            "rq:queue:q": ["x"],
            "rq:job:a": rq_job("started", **CLAIM, repeats_left=2, repeat_intervals="[0]"),
            "rq:job:a:dependents": {"c"},
            "rq:job:c": rq_job("deferred"),
            "rq:job::c:dependencies": {"a"},
            "rq:job::a:dependencies": {"z"},
        },
        complete(),
        Then(
            ["OK"],
            {
                "rq:queue:q": ["x", "a", "c"],
                "rq:queues": {"rq:queue:q"},
                "rq:job:a": rq_job("queued", **ENDED, repeats_left=1, repeat_intervals="[0]", enqueued_at=AT),
                "rq:results:a": lasting(500, Stream([ENTRY])),
                "rq:job:c": rq_job("queued", enqueued_at=AT),
                "rq:job::c:dependencies": {"a"},
                "rq:job::a:dependencies": {"z"},
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "rq.Repeat with several intervals: scheduled by the first, the others are left",
        {"rq:job:a": rq_job("started", **CLAIM, repeats_left=3, repeat_intervals="[30, 60]")},
        complete(),
        Then(
            ["OK"],
            {
                "rq:scheduled:q": ZSet(a=1030),
                "rq:job:a": rq_job("scheduled", **ENDED, repeats_left=2, repeat_intervals="[60]"),
                "rq:results:a": lasting(500, Stream([ENTRY])),
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "rq.Repeat with one interval keeps it, and with result_ttl=0 nothing of the result",
        {"rq:job:a": rq_job("started", **CLAIM, repeats_left=1, repeat_intervals="[60]")},
        complete(ttl=0),
        Then(
            ["OK"],
            {
                "rq:scheduled:q": ZSet(a=1060),
                "rq:job:a": rq_job("scheduled", **ENDED, repeats_left=0, repeat_intervals="[60]"),
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "rq.Repeat that names no intervals does not wait",
        {"rq:job:a": rq_job("started", **CLAIM, repeats_left=1)},
        complete(ttl=0),
        Then(
            ["OK"],
            {
                "rq:queue:q": ["a"],
                "rq:job:a": rq_job("queued", **ENDED, repeats_left=0, repeat_intervals="[]", enqueued_at=AT),
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "rq.Repeat with none left: it has finished",
        {"rq:job:a": rq_job("started", **CLAIM, repeats_left=0, repeat_intervals="[60]")},
        complete(),
        Then(
            ["OK"],
            {
                "rq:job:a": lasting(500, rq_job("finished", **ENDED, repeats_left=0, repeat_intervals="[60]")),
                "rq:results:a": lasting(500, Stream([ENTRY])),
                "rq:finished:q": ZSet(a=1500),
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "rq.Repeat with intervals that nobody can read does not wait",
        {"rq:job:a": rq_job("started", **CLAIM, repeats_left=1, repeat_intervals="[6")},
        complete(ttl=0),
        Then(
            ["OK"],
            {
                "rq:queue:q": ["a"],
                "rq:job:a": rq_job("queued", **ENDED, repeats_left=0, repeat_intervals="[]", enqueued_at=AT),
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    *(
        Row(
            f"rq.Repeat and a foreign key in the place of {place}: refused, and the job has not ended",
            {"rq:job:a": rq_job("started", **CLAIM, repeats_left=1, repeat_intervals=intervals), place: "oops"},
            complete(),
            Then(Refused("WRONGTYPE")),
            again=Then(Refused("WRONGTYPE")),
        )
        for place, intervals in (("rq:queue:q", "[0]"), ("rq:scheduled:q", "[60]"))
    ),
    # A job's own keys do not keep it, nor its neighbours, from being settled -----------------------------------------
    Row(
        "a foreign key in the place of the results is put aside",
        {"rq:job:a": rq_job("started", **CLAIM), "rq:results:a": ["o", "ops"]},
        complete(),
        Then(
            ["OK"],
            {
                "rq:job:a": lasting(500, rq_job("finished", **ENDED)),
                "postroom:foreign:results:a": ["o", "ops"],
                "rq:results:a": lasting(500, Stream([ENTRY])),
                "rq:finished:q": ZSet(a=1500),
            },
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "a foreign key in the place of the group stays as it is",
        {"rq:job:a": rq_job("started", **CLAIM, group_id="g"), "rq:group:g": "oops"},
        complete(ttl=0),
        Then(["OK"], {"postroom:gone:a": lasting(60, "7 "), "rq:group:g": "oops"}, [event("finished", "a")]),
        again=Then(["ALREADY"]),
    ),
    # Dead letters ----------------------------------------------------------------------------------------------------
    Row(
        "a dead letter has an entry in RQ's stream, too",
        {"rq:job:a": rq_job("started", **CLAIM, group_id="g"), "rq:group:g": {"a"}, "rq:job::a:dependencies": {"z"}},
        bury(900),
        Then(
            ["OK"],
            {
                "rq:job:a": lasting(900, rq_job("failed", **DEAD, group_id="g")),
                "rq:group:g": {"a"},
                "rq:job::a:dependencies": lasting(900, {"z"}),
                "rq:results:a": lasting(900, Stream([{"type": "2", "exc_string": "VA=="}])),
                "rq:failed:q": ZSet(a=1900),
                "postroom:dead": TOLD,
            },
            [event("buried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "a dead letter kept for ever: nor do the results of an earlier failure expire",
        {"rq:job:a": rq_job("started", **CLAIM), "rq:results:a": lasting(300, Stream([{"type": "2"}]))},
        bury(-1),
        Then(
            ["OK"],
            {
                "rq:job:a": rq_job("failed", **DEAD),
                "rq:results:a": Stream([{"type": "2"}, {"type": "2", "exc_string": "VA=="}]),
                "rq:failed:q": ZSet(a=-1),
                "postroom:dead": TOLD,
            },
            [event("buried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    Row(
        "failure_ttl=0: it is deleted, and leaves its group",
        {"rq:job:a": rq_job("started", **CLAIM, group_id="g"), "rq:group:g": {"a", "b"}},
        bury(0),
        Then(
            ["OK"],
            {"rq:group:g": {"b"}, "postroom:gone:a": lasting(60, "7 "), "postroom:dead": TOLD},
            [event("buried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_rq(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
