"""sift.lua, row by row."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.lua.table import Call, Row, Table, Then, ZSet, job

EVERYTHING = {"task": "", "err": "", "fingerprint": "", "cause": "", "after": "", "before": ""}
ALL: dict[str, Any] = {"order": "oldest", "score": "", "id": "", "count": 10, "most": 10, "want": "ids", **EVERYTHING}
T1, T2, T3 = (f"2026-01-0{day}T00:00:00.000000Z" for day in (1, 2, 3))


def sift(**args: Any) -> Call:
    """One page."""
    return Call("sift", {**ALL, **args})


def found(name: str, given: dict[str, Any], when: Call, reply: list[Any], packed: Sequence[list[str]] = ()) -> Row:
    """A look changes nothing."""
    told = Then([*reply, list(packed)])
    return Row(name, given, when, told, again=told)


def letter(at: str = T1, **fields: Any) -> dict[str, str]:
    """A dead letter."""
    known = {"p_cause": "exhausted", "p_task": "t", "p_fingerprint": "f", "p_reason": "No", "p_attempt": 2}
    return job("failed", ended_at=at, **{**known, **fields})


def values(at: str = T1, task: str = "t", print_: str = "f", reason: str = "No", cause: str = "exhausted") -> list[str]:
    """As a row has them."""
    return [cause, task, print_, reason, at, "2"]


FIVE = {"rq:failed:q": ZSet(a=1, b=2, c=2, d=2, e=3), **{f"rq:job:{i}": letter() for i in "abcde"}}
UNSORTED = {"rq:failed:q": ZSet(d=1, c=1, b=2, a=3), **{f"rq:job:{i}": letter() for i in "abcd"}}
MIXED = {
    "rq:failed:q": ZSet(a=1, b=2, c=3, d=4),
    "rq:job:a": letter(T1),
    "rq:job:b": letter(T2, p_task="u", p_reason="[Errno 5] Broken"),
    "rq:job:c": letter(T3, p_fingerprint="g", p_cause="killed"),
    "rq:job:d": job("failed", p_task=None),
}
OF_D = ["d", "4", "", "", "", "", "", ""]
"""What is to be looked at elsewhere for a part of its reason."""
MATCHES: dict[str, tuple[dict[str, str], list[str]]] = {
    "nothing asked": ({}, ["a", "b", "c", "d"]),
    "a task": ({"task": "u"}, ["b"]),
    "a fingerprint": ({"fingerprint": "g"}, ["c"]),
    "a cause": ({"cause": "killed"}, ["c"]),
    "since": ({"after": T2}, ["b", "c"]),
    "before: what has no time is old": ({"before": T2}, ["a", "d"]),
    "two at once": ({"after": T2, "task": "t"}, ["c"]),
    "none": ({"task": "nobody's"}, []),
}
SCORES = {"a": "1", "b": "2", "c": "3", "d": "4"}

ROWS = (
    found("there are none", {}, sift(), ["", "", []]),
    found("oldest first", FIVE, sift(count=2), ["2", "b", ["a", "1", "b", "2"]]),
    found("newest first", FIVE, sift(order="newest", count=2), ["2", "d", ["e", "3", "d", "2"]]),
    found("the next page", FIVE, sift(score="2", id="b", count=2), ["2", "d", ["c", "2", "d", "2"]]),
    found(
        "the next page, newest first", FIVE, sift(order="newest", score="2", id="d", count=1), ["2", "c", ["c", "2"]]
    ),
    found(
        "the last of the page before is gone, others have its score",
        FIVE,
        sift(score="2", id="bb", count=2),
        ["2", "d", ["c", "2", "d", "2"]],
    ),
    found(
        "the same, newest first",
        FIVE,
        sift(order="newest", score="2", id="cc", count=2),
        ["2", "b", ["c", "2", "b", "2"]],
    ),
    found(
        "gone was one that another's id begins with",
        {"rq:failed:q": ZSet(ab=1, abc=1), "rq:job:ab": letter(), "rq:job:abc": letter()},
        sift(score="1", id="abb"),
        ["", "", ["abc", "1"]],
    ),
    found("nothing is left, newest first", FIVE, sift(order="newest", score="1", id="a"), ["", "", []]),
    found("ids are in no order but their scores'", UNSORTED, sift(score="2", id="b", count=1), ["3", "a", ["a", "3"]]),
    found("the last page", FIVE, sift(score="2", id="d"), ["", "", ["e", "3"]]),
    found("no more than is asked for", FIVE, sift(most=1), ["1", "a", ["a", "1"]]),
    found(
        "no dead letters: gone, queued again, another type of key",
        {"rq:failed:q": ZSet(a=1, b=2, c=3), "rq:job:b": job("queued"), "rq:job:c": "oops"},
        sift(),
        ["", "", []],
    ),
    *(
        found(f"matches: {name}", MIXED, sift(**args), ["", "", [part for one in ids for part in (one, SCORES[one])]])
        for name, (args, ids) in MATCHES.items()
    ),
    *(
        found(
            f"a part of the reason, read as it is, {want}: what has none in its hash is told besides",
            MIXED,
            sift(err="[errno 5]", want=want),
            ["", "", reply],
            [OF_D],
        )
        for want, reply in (
            ("ids", ["b", "2"]),
            ("rows", [["b", "2", *values(T2, "u", reason="[Errno 5] Broken")]]),
            ("groups", [["exhausted", "u", "f", 1, T2, T2, "b", "[Errno 5] Broken"]]),
        )
    ),
    found("a part of the reason, and a task", MIXED, sift(err="[errno 5]", task="t"), ["", "", []]),
    found(
        "what has no reason counts among the most",
        MIXED,
        sift(err="no", most=1, order="newest"),
        ["4", "d", []],
        [OF_D],
    ),
    found(
        "rows",
        {"rq:failed:q": ZSet(a=1.5), "rq:job:a": letter()},
        sift(want="rows"),
        ["", "", [["a", "1.5", *values()]]],
    ),
    found(
        "rows: of RQ's the description tells the task",
        {"rq:failed:q": ZSet(a=-1), "rq:job:a": {"status": "failed", "description": "shop.add(1, y=2)"}},
        sift(want="rows", task="shop.add"),
        ["", "", [["a", "-1", "", "shop.add", "", "", "", ""]]],
    ),
    found(
        "groups: cause, task, fingerprint, how many, first, last, the last one's id and reason",
        {
            "rq:failed:q": ZSet(a=1, b=2, c=3, d=4),
            "rq:job:a": letter(T2),
            "rq:job:b": letter(T3, p_reason="new"),
            "rq:job:c": letter(T1),
            "rq:job:d": letter(p_fingerprint="g"),
        },
        sift(want="groups"),
        ["", "", [["exhausted", "t", "f", 3, T1, T3, "b", "new"], ["exhausted", "t", "g", 1, T1, T1, "d", "No"]]],
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_sift(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
