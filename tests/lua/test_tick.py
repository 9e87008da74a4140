"""tick.lua: what is due of a schedule becomes a job, once, and its next tick is set."""

from typing import Any

import pytest

from tests.lua.table import Call, Refused, Row, Table, Then, ZSet, job

SCHEDULE, TICKS = "postroom:schedule:s", "postroom:ticks"
FIELDS = ("status", "queued", "origin", "q", "created_at", "C", "p:type", "j")


def tick(*, overlap: str = "allow", made: str = "1000.0", job_id: str = "j", **args: Any) -> Call:
    """One call: what was due at 1000 is due next at 1060.25."""
    given = {"digest": "d", "due": "1000.0", "following": "1060.25", "run_at": "", "data": "[]", "key": "", **args}
    return Call("tick", {"overlap": overlap, "made": made, "id": job_id, **given}, FIELDS if job_id else ())


def schedule(**fields: Any) -> dict[str, str]:
    """The hash of the schedule."""
    return {"digest": "d", **{name: str(value) for name, value in fields.items()}}


MADE = schedule(job="j", last="1000.0")
BEFORE = schedule(job="i", last="940.0")

ROWS = (
    Row(
        "the job is made, the next tick is set, both are remembered",
        {SCHEDULE: schedule(), TICKS: ZSet(s=1000, t=1001), "rq:queue:q": ["x"]},
        tick(),
        Then(
            "OK",
            {
                SCHEDULE: MADE,
                TICKS: ZSet(s=1060.25, t=1001),
                "rq:queue:q": ["x", "j"],
                "rq:queues": {"rq:queue:q"},
                "rq:job:j": job("queued"),
            },
        ),
        again=Then("ALREADY"),
    ),
    Row(
        "put off by jitter: it is scheduled",
        {SCHEDULE: schedule(), TICKS: ZSet(s=1000), "rq:scheduled:q": ZSet(x=1)},
        tick(run_at="1007.5"),
        Then(
            "OK",
            {
                SCHEDULE: MADE,
                TICKS: ZSet(s=1060.25),
                "rq:scheduled:q": ZSet(x=1, j=1007.5),
                "rq:queues": {"rq:queue:q"},
                "rq:job:j": job("queued"),
            },
        ),
        again=Then("ALREADY"),
    ),
    Row(
        "another was faster, and made this very tick",
        {SCHEDULE: MADE, TICKS: ZSet(s=1060.25)},
        tick(),
        Then("ALREADY"),
        again=Then("ALREADY"),
    ),
    Row(
        "another was faster, and its ticks have gone on since",
        {SCHEDULE: schedule(job="k", last="1060.25"), TICKS: ZSet(s=1120)},
        tick(),
        Then("STALE"),
        again=Then("STALE"),
    ),
    Row(
        "another definition counts since it was looked at: its times are not ours to set",
        {SCHEDULE: schedule() | {"digest": "e"}, TICKS: ZSet(s=1000)},
        tick(),
        Then("STALE"),
        again=Then("STALE"),
    ),
    Row(
        "paused since it was looked at",
        {SCHEDULE: schedule(paused=1), TICKS: ZSet(s=float("inf"))},
        tick(),
        Then("STALE"),
        again=Then("STALE"),
    ),
    Row("removed since it was looked at: it does not come back", {}, tick(), Then("STALE"), again=Then("STALE")),
    Row(
        "a job of this id is there, ended: it is not made again, and the next tick comes all the same",
        {SCHEDULE: BEFORE, TICKS: ZSet(s=1000), "rq:job:j": job("finished")},
        tick(),
        Then("OK", {SCHEDULE: MADE, TICKS: ZSet(s=1060.25), "rq:job:j": job("finished")}),
        again=Then("ALREADY"),
    ),
    Row(
        "dropped: only the next tick is set",
        {SCHEDULE: BEFORE, TICKS: ZSet(s=1000)},
        tick(made="", job_id=""),
        Then("SKIPPED", {SCHEDULE: BEFORE, TICKS: ZSet(s=1060.25)}),
        again=Then("STALE"),
    ),
    Row(
        "allow: the job before still runs, and this one is made",
        {SCHEDULE: BEFORE, TICKS: ZSet(s=1000), "rq:job:i": job("started")},
        tick(),
        Then(
            "OK",
            {
                SCHEDULE: MADE,
                TICKS: ZSet(s=1060.25),
                "rq:queue:q": ["j"],
                "rq:queues": {"rq:queue:q"},
                "rq:job:i": job("started"),
                "rq:job:j": job("queued"),
            },
        ),
        again=Then("ALREADY"),
    ),
    Row(
        "skip: the job before still runs, so this tick is left out",
        {SCHEDULE: BEFORE, TICKS: ZSet(s=1000), "rq:job:i": job("scheduled")},
        tick(overlap="skip"),
        Then("SKIPPED", {SCHEDULE: BEFORE, TICKS: ZSet(s=1060.25), "rq:job:i": job("scheduled")}),
        again=Then("STALE"),
    ),
    Row(
        "queue: the job before still runs, so this tick goes on being due",
        {SCHEDULE: BEFORE, TICKS: ZSet(s=1000), "rq:job:i": job("queued")},
        tick(overlap="queue"),
        Then("WAITS"),
        again=Then("WAITS"),
    ),
    *(
        Row(
            f"{overlap}: the job before is {status or 'no hash'}: this one is made",
            {
                SCHEDULE: BEFORE,
                TICKS: ZSet(s=1000),
                "rq:job:i": job(status) if status else "oops",
            },
            tick(overlap=overlap),
            Then(
                "OK",
                {
                    SCHEDULE: MADE,
                    TICKS: ZSet(s=1060.25),
                    "rq:queue:q": ["j"],
                    "rq:queues": {"rq:queue:q"},
                    "rq:job:i": job(status) if status else "oops",
                    "rq:job:j": job("queued"),
                },
            ),
            again=Then("ALREADY"),
        )
        for overlap, status in (
            ("skip", "finished"),
            ("skip", "failed"),
            ("queue", "canceled"),
            ("queue", "stopped"),
            ("queue", None),
        )
    ),
    Row(
        "the job before is forgotten, or there was none: nothing is waited for",
        {SCHEDULE: BEFORE, TICKS: ZSet(s=1000)},
        tick(overlap="queue"),
        Then(
            "OK",
            {
                SCHEDULE: MADE,
                TICKS: ZSet(s=1060.25),
                "rq:queue:q": ["j"],
                "rq:queues": {"rq:queue:q"},
                "rq:job:j": job("queued"),
            },
        ),
        again=Then("ALREADY"),
    ),
    Row(
        "no tick comes any more",
        {SCHEDULE: schedule(), TICKS: ZSet(s=1000)},
        tick(following="+inf"),
        Then(
            "OK",
            {
                SCHEDULE: MADE,
                TICKS: ZSet(s=float("inf")),
                "rq:queue:q": ["j"],
                "rq:queues": {"rq:queue:q"},
                "rq:job:j": job("queued"),
            },
        ),
        again=Then("ALREADY"),
    ),
    Row(
        "a foreign key in the place of the list: refused, and it is due as before",
        {SCHEDULE: schedule(), TICKS: ZSet(s=1000), "rq:queue:q": "oops"},
        tick(),
        Then(Refused("WRONGTYPE")),
        again=Then(Refused("WRONGTYPE")),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_tick(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
