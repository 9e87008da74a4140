"""The key in all scripts that take a job out of its line: where the first one ends, the next one follows at once."""

from typing import Any

import pytest

from tests.lua.line import BUSY, CLAIM, INF, LINE, keyed, line, turned, waiting
from tests.lua.table import AT, Call, Row, Table, Then, ZSet, event, lasting
from tests.lua.test_bury import bury, dead, told
from tests.lua.test_cancel import cancel
from tests.lua.test_complete import complete, done
from tests.lua.test_decline import TASK, decline, of_task
from tests.lua.test_delete import DELETE
from tests.lua.test_recover import recover
from tests.lua.test_release import release
from tests.lua.test_retry import failed, retry

HANDS: dict[str, Any] = {"rq:wip:q": ZSet({"a:7": INF}), "postroom:held:w1": {"a:7": "q"}}
"""Job a, in the hands of w1."""
DEAD: dict[str, Any] = {"p_reason": "R", "p_attempt": 3}
SCHEDULE = {"postroom:schedule:s": {"digest": "d"}, "postroom:ticks": ZSet(s=1000)}
TICKED = {"postroom:schedule:s": {"digest": "d", "job": "j", "last": "1000.0"}, "postroom:ticks": ZSet(s=1060.25)}


def ends(name: str, call: Call, given: dict[str, Any], then: Then, again: Then) -> Row:
    """Job a, which is first, leaves the line; b follows on its own queue, c waits on."""
    line_before = {LINE: line("a", "b", "c"), BUSY: ZSet(k=990), **waiting("c"), **waiting("b", queue="r")}
    line_after = {LINE: ZSet(b=2, c=3), BUSY: ZSet(k=990), **waiting("c")}
    followed = {"rq:job:b": turned(origin="r"), "rq:queue:r": ["b"]}
    left = {**line_after, **followed, **(then.space or {})}
    return Row(
        f"{name}: the next one follows",
        {**line_before, **given},
        call,
        Then(then.reply, left, then.events),
        again=again,
    )


def stays(name: str, call: Call, given: dict[str, Any], then: Then, again: Then) -> Row:
    """Job a, which is first, keeps the key; b waits on."""
    standing = {LINE: line("a", "b"), BUSY: ZSet(k=990), **waiting("b")}
    return Row(
        f"{name}: it keeps its key",
        {**standing, **given},
        call,
        Then(then.reply, {**standing, **(then.space or {})}, then.events, then.told),
        again=again,
    )


def canceled(call: Call, reply: Any) -> Row:
    """Job a was canceled while it ran; its worker lets go of it now."""
    standing = {"rq:job:a": keyed("canceled", **CLAIM)}
    space = dict(standing)
    return ends(
        f"{call.script}, and it was canceled", call, {**standing, **HANDS}, Then(reply, space), again=Then(reply)
    )


ENDED = {**CLAIM, "started_at": "S", "ended_at": "E"}

ROWS = (
    ends(
        "finished",
        complete(done("a")),
        {"rq:job:a": keyed("started", **CLAIM), **HANDS},
        Then(
            ["OK"],
            {"rq:job:a": lasting(500, keyed("finished", **ENDED, result=42)), "rq:finished:q": ZSet(a=1500)},
            [event("finished", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    ends(
        "finished, and nothing is kept of it",
        complete(done("a", ttl=0)),
        {"rq:job:a": keyed("started", **CLAIM), **HANDS},
        Then(["OK"], {"postroom:gone:a": lasting(60, "7 ")}, [event("finished", "a")]),
        again=Then(["ALREADY"]),
    ),
    Row(
        "of several that finish, each passes on its own key; nothing remains of a key without a job",
        {
            LINE: line("a", "c"),
            "postroom:key:l": line("b"),
            BUSY: ZSet(k=990, l=990),
            **waiting("c"),
            "rq:job:a": keyed("started", **CLAIM),
            "rq:job:b": keyed("started", **CLAIM, p_key="l"),
        },
        complete(done("a", ttl=0), done("b", ttl=0)),
        Then(
            ["OK", "OK"],
            {
                LINE: ZSet(c=2),
                BUSY: ZSet(k=990),
                "rq:queue:q": ["c"],
                "rq:job:c": turned(),
                "postroom:gone:a": lasting(60, "7 "),
                "postroom:gone:b": lasting(60, "7 "),
            },
            [event("finished", "a", "b")],
        ),
        again=Then(["ALREADY", "ALREADY"]),
    ),
    Row(
        "foreign keys in the place of the line and of the busy keys: they keep nobody from being settled",
        {LINE: "oops", BUSY: "oops", "rq:job:a": keyed("started", **CLAIM)},
        complete(done("a", ttl=0)),
        Then(["OK"], {LINE: "oops", BUSY: "oops", "postroom:gone:a": lasting(60, "7 ")}, [event("finished", "a")]),
        again=Then(["ALREADY"]),
    ),
    Row(
        "settled long ago, and put back since: a late word passes on nothing",
        {LINE: line("a", "b"), BUSY: ZSet(k=990), **waiting("b"), "rq:job:a": keyed("scheduled", **CLAIM)},
        complete(done("a")),
        Then(["ALREADY"]),
        again=Then(["ALREADY"]),
    ),
    Row(
        "of another claim: a late word passes on nothing",
        {
            LINE: line("a", "b"),
            BUSY: ZSet(k=990),
            **waiting("b"),
            "rq:job:a": keyed("started", worker_name="w2", p_token=8),
        },
        complete(done("a")),
        Then(["STALE"]),
        again=Then(["STALE"]),
    ),
    canceled(complete(done("a")), ["STALE"]),
    ends(
        "buried",
        bury(dead("a", ttl=-1)),
        {"rq:job:a": keyed("started", **CLAIM), **HANDS},
        Then(
            ["OK"],
            {
                "rq:job:a": keyed("failed", **ENDED, **DEAD, exc_info="T"),
                "rq:failed:q": ZSet(a=-1),
                "postroom:dead": told("a"),
            },
            [event("buried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    canceled(bury(dead("a")), ["STALE"]),
    stays(
        "to be tried again later",
        retry(failed("a", delay=60)),
        {"rq:job:a": keyed("started", **CLAIM), **HANDS},
        Then(
            ["OK"],
            {
                "rq:job:a": keyed("scheduled", **CLAIM, p_attempt=1, exc_info="T"),
                "rq:scheduled:q": ZSet(a=1060),
            },
            [event("retried", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    canceled(retry(failed("a")), ["STALE"]),
    stays(
        "released",
        release("a"),
        {"rq:job:a": keyed("started", **CLAIM), **HANDS},
        Then(["OK"], {"rq:job:a": keyed("queued", **CLAIM), "rq:queue:q": ["a"]}),
        again=Then(["ALREADY"]),
    ),
    canceled(release("a"), ["STALE"]),
    stays(
        "declined",
        decline(of_task("a")),
        {"rq:job:a": keyed("started", **CLAIM), **HANDS},
        Then(
            ["OK"],
            {"rq:job:a": keyed("scheduled", **CLAIM, p_waits=TASK), "postroom:declined:q": ZSet(a=1000)},
            [event("declined", "a")],
        ),
        again=Then(["ALREADY"]),
    ),
    canceled(decline(of_task("a")), ["STALE"]),
    stays(
        "recovered",
        recover(),
        {"rq:job:a": keyed("started", **CLAIM), **HANDS},
        Then(
            ["a"],
            {"rq:job:a": keyed("queued", worker_name="w1", enqueued_at=AT, p_redelivered=1), "rq:queue:q": ["a"]},
            [event("recovered", "a")],
        ),
        again=Then([]),
    ),
    ends(
        "canceled, and its worker died with it",
        recover(),
        {"rq:job:a": keyed("canceled", **CLAIM), **HANDS},
        Then([], {"rq:job:a": keyed("canceled", **CLAIM)}),
        again=Then([]),
    ),
    *(
        ends(
            f"canceled while it was {status}",
            cancel(),
            {"rq:job:a": keyed(status)},
            Then(
                [status, 0],
                {"rq:job:a": keyed("canceled", ended_at=AT), "rq:canceled:q": ZSet(a=1000)},
                [event("canceled", "a")],
            ),
            again=Then(["canceled", 0]),
        )
        for status in ("queued", "scheduled")
    ),
    stays(
        "canceled while it runs",
        cancel(),
        {"rq:job:a": keyed("started", **CLAIM), **HANDS},
        Then(
            ["started", 0],
            {"rq:job:a": keyed("canceled", **CLAIM, ended_at=AT), "rq:canceled:q": ZSet(a=1000), **HANDS},
            [event("canceled", "a")],
            [("w1", "a")],
        ),
        again=Then(["canceled", 0]),
    ),
    Row(
        "canceled while it waits: it leaves the line, and the first one keeps the key",
        {LINE: line("x", "a", "b"), BUSY: ZSet(k=990), "rq:job:x": keyed("started"), **waiting("a", "b")},
        cancel(),
        Then(
            ["deferred", 0],
            {
                LINE: ZSet(x=1, b=3),
                BUSY: ZSet(k=990),
                "rq:job:x": keyed("started"),
                **waiting("b"),
                "rq:job:a": keyed("canceled", p_due="", ended_at=AT),
                "rq:canceled:q": ZSet(a=1000),
            },
            [event("canceled", "a")],
        ),
        again=Then(["canceled", 0]),
    ),
    ends(
        "deleted",
        DELETE,
        {"rq:job:a": keyed("queued")},
        Then(1, {"postroom:gone:a": lasting(60, "delete-d1 ")}),
        again=Then(1),
    ),
    Row(
        "deleted while it waits: it leaves the line; the first one keeps the key: it is canceled, and runs on",
        {
            LINE: line("x", "a", "b"),
            BUSY: ZSet(k=990),
            "rq:job:x": keyed("canceled", **CLAIM),
            "rq:wip:q": ZSet({"x:7": INF}),
            **waiting("a", "b"),
        },
        DELETE,
        Then(
            1,
            {
                LINE: ZSet(x=1, b=3),
                BUSY: ZSet(k=990),
                "rq:job:x": keyed("canceled", **CLAIM),
                "rq:wip:q": ZSet({"x:7": INF}),
                **waiting("b"),
                "postroom:gone:a": lasting(60, "delete-d1 "),
            },
        ),
        again=Then(1),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_key(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
