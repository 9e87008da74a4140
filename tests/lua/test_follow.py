"""follow.lua: where the job that held a key was taken away behind our back, the next one follows."""

from typing import Any

import pytest

from tests.lua.line import BUSY, CLAIM, INF, LINE, keyed, line, turned, waiting
from tests.lua.table import AT, Call, FromNow, Refused, Row, Table, Then, ZSet, job


def follow(limit: int = 10, now: Any = 1000) -> Call:
    """One call: keys that were looked at 10 s ago are looked at again."""
    return Call("follow", {"age": 10, "limit": limit, "now": now})


def gone(name: str, **holder: Any) -> Row:
    """Job a was first in line, and holds the key no more; b follows."""
    return Row(
        f"{name}: the next one follows",
        {LINE: line("a", "b"), BUSY: ZSet(k=900), **waiting("b"), **holder},
        follow(),
        Then([1], {LINE: ZSet(b=2), BUSY: ZSet(k=1000), "rq:queue:q": ["b"], "rq:job:b": turned(), **holder}),
        again=Then([0]),
    )


def holds(name: str, **holder: Any) -> Row:
    """Job a is first in line, and holds the key."""
    standing = {LINE: line("a", "b"), **waiting("b"), **holder}
    return Row(
        f"{name}: it holds the key",
        {**standing, BUSY: ZSet(k=900)},
        follow(),
        Then([1], {**standing, BUSY: ZSet(k=1000)}),
        again=Then([0]),
    )


def stuck(name: str, fields: dict[str, Any], **foreign: Any) -> Row:
    """A foreign key keeps b from its turn."""
    standing = {LINE: line("b"), **waiting("b"), **foreign}
    if fields:
        standing["rq:job:b"] = keyed("deferred", **fields)
    told = [1, "k", "WRONGTYPE Operation against a key holding the wrong kind of value"]
    return Row(
        f"a foreign key in the place of {name}: it waits on, and that is told",
        {**standing, BUSY: ZSet(k=900)},
        follow(),
        Then(told, {**standing, BUSY: ZSet(k=1000)}),
        again=Then([0]),
    )


HELD: dict[str, Any] = {"rq:job:a": keyed("canceled", **CLAIM), "rq:wip:q": ZSet({"a:7": INF})}

ROWS = (
    gone("deleted, or expired"),
    *(gone(status, **{"rq:job:a": keyed(status)}) for status in ("finished", "failed", "canceled", "stopped")),
    gone("canceled, and its worker has let go of it", **{"rq:job:a": keyed("canceled", **CLAIM)}),
    gone("canceled, another claim of it runs out", **{**HELD, "rq:wip:q": ZSet({"a:6": INF})}),
    gone("canceled, a foreign key in the place of the running jobs", **{**HELD, "rq:wip:q": "oops"}),
    gone("what stands there is no hash", **{"rq:job:a": "oops"}),
    gone("it has no status, or none that we know", **{"rq:job:a": job(None)}),
    *(holds(status, **{"rq:job:a": keyed(status)}) for status in ("queued", "created", "scheduled", "started")),
    holds("canceled, and still in its worker's hands", **HELD),
    Row(
        "nobody is left: nothing remains of the key",
        {LINE: line("a", "b"), BUSY: ZSet(k=900, l=900), "rq:job:b": keyed("finished")},
        follow(),
        Then([2], {"rq:job:b": keyed("finished")}),
        again=Then([0]),
    ),
    Row(
        "those that were not looked at for the longest time, so many, and none that was looked at just now",
        {
            **{f"postroom:key:{key}": line(key) for key in "abcd"},
            **{f"rq:job:{key}": keyed("queued", p_key=key) for key in "abcd"},
            BUSY: ZSet(a=990, b=991, c=989, d=900),
        },
        follow(limit=2),
        Then(
            [2],
            {
                **{f"postroom:key:{key}": line(key) for key in "abcd"},
                **{f"rq:job:{key}": keyed("queued", p_key=key) for key in "abcd"},
                BUSY: ZSet(a=990, b=991, c=1000, d=1000),
            },
        ),
        again=Then(
            [1],
            {
                **{f"postroom:key:{key}": line(key) for key in "abcd"},
                **{f"rq:job:{key}": keyed("queued", p_key=key) for key in "abcd"},
                BUSY: ZSet(a=1000, b=991, c=1000, d=1000),
            },
        ),
    ),
    Row(
        "by the server's clock",
        {LINE: line("b"), BUSY: ZSet(k=900), **waiting("b")},
        follow(now=""),
        Then([1], {LINE: line("b"), BUSY: ZSet(k=FromNow(0)), "rq:queue:q": ["b"], "rq:job:b": turned()}),
        again=Then([0]),
    ),
    Row(
        "its time has not come: it waits for that, and holds the key; one of another queue, to the front of that",
        {
            LINE: line("b"),
            "postroom:key:l": line("c"),
            BUSY: ZSet(k=900, l=900),
            "rq:job:b": keyed("deferred", p_due=9e9),
            "rq:deferred:q": ZSet(b=900),
            "rq:job:c": keyed("deferred", p_due=900, origin="r", enqueue_at_front=1),
            "rq:deferred:r": ZSet(c=900),
            "rq:queue:r": ["x"],
        },
        follow(),
        Then(
            [2],
            {
                LINE: line("b"),
                "postroom:key:l": line("c"),
                BUSY: ZSet(k=1000, l=1000),
                "rq:job:b": keyed("scheduled", p_due=9e9, p_turn=AT),
                "rq:scheduled:q": ZSet(b=9e9),
                "rq:job:c": turned(p_due=900, origin="r", enqueue_at_front=1),
                "rq:queue:r": ["c", "x"],
            },
        ),
        again=Then([0]),
    ),
    # Mistakes that are nobody's job ----------------------------------------------------------------------------------
    stuck("its queue", {}, **{"rq:queue:q": "oops"}),
    stuck("what waits for its time", {"p_due": 9e9}, **{"rq:scheduled:q": "oops"}),
    Row(
        "a foreign key in the place of those that wait: it need not be taken out of there",
        {LINE: line("b"), BUSY: ZSet(k=900), "rq:job:b": keyed("deferred", p_due=""), "rq:deferred:q": "oops"},
        follow(),
        Then(
            [1],
            {LINE: line("b"), BUSY: ZSet(k=1000), "rq:queue:q": ["b"], "rq:job:b": turned(), "rq:deferred:q": "oops"},
        ),
        again=Then([0]),
    ),
    Row(
        "a foreign key in the place of a line: it is no line, and nobody can be in it",
        {LINE: "oops", BUSY: ZSet(k=900)},
        follow(),
        Then([1], {LINE: "oops"}),
        again=Then([0]),
    ),
    Row(
        "a foreign key in the place of the busy keys: refused",
        {BUSY: "oops"},
        follow(),
        Then(Refused("WRONGTYPE")),
        again=Then(Refused("WRONGTYPE")),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_follow(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
