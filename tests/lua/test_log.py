"""log.lua: what a handler logs, in its job's hash."""

from typing import Any

import pytest

from tests.lua.line import CLAIM
from tests.lua.table import Call, Row, Table, Then, job, lasting


def log(*lines: str, first: int = 0, token: int = 7) -> Call:
    """One call."""
    return Call("log", {"token": token, "first": first, "count": len(lines), "text": "".join(f"{x}\n" for x in lines)})


def logged(text: str, counts: str, **fields: Any) -> dict[str, str]:
    """Job a, in the hands of w1, with its log."""
    return job("started", **CLAIM, p_log=text, p_logged=counts, **fields)


def grown(name: str, before: dict[str, str], call: Call, after: dict[str, str], last: int) -> Row:
    """The log of job a grows; a replay adds nothing."""
    return Row(
        name, {"rq:job:a": before}, call, Then(1, {"rq:job:a": after}, told=[("log:a", str(last))]), again=Then(0)
    )


KILO = "x" * 1023
"""With its end 1,024 bytes."""
MANY = [f"{n}" for n in range(1002)]

ROWS = (
    grown("the first lines", job("started", **CLAIM), log("a", "b"), logged("a\nb\n", "2 7 2"), 2),
    grown("more of them", logged("a\nb\n", "2 7 2"), log("c", first=2), logged("a\nb\nc\n", "3 7 3"), 3),
    grown(
        "some of which are there already",
        logged("a\nb\n", "2 7 2"),
        log("a", "b", "c"),
        logged("a\nb\nc\n", "3 7 3"),
        3,
    ),
    grown(
        "the first ones of another execution, after those of the one before",
        logged("a\nb\n", "12 6 9"),
        log("c"),
        logged("a\nb\nc\n", "13 7 1"),
        1,
    ),
    grown(
        "after some that the worker could not keep: there is no hole in what stays",
        logged("a\n", "1 7 1"),
        log("d", first=3),
        logged("d\n", "4 7 4"),
        4,
    ),
    grown(
        "the newest thousand stay",
        logged("a\n", "1 7 1"),
        log(*MANY, first=1),
        logged("".join(f"{n}\n" for n in MANY[2:]), "1003 7 1003"),
        1003,
    ),
    grown(
        "the newest 64 KB stay, in whole lines",
        logged(f"{KILO}\n" * 64, "64 7 64"),
        log("a", first=64),
        logged(f"{KILO}\n" * 63 + "a\n", "65 7 65"),
        65,
    ),
    grown(
        "64 KB exactly",
        logged(f"{KILO}\n" * 63, "63 7 63"),
        log(KILO, first=63),
        logged(f"{KILO}\n" * 64, "64 7 64"),
        64,
    ),
    Row(
        "its last lines may come when it has ended, and live no longer",
        {"rq:job:a": lasting(500, job("finished", **CLAIM))},
        log("a"),
        Then(
            1,
            {"rq:job:a": lasting(500, job("finished", **CLAIM, p_log="a\n", p_logged="1 7 1"))},
            told=[("log:a", "1")],
        ),
        again=Then(0),
    ),
    *(
        Row(f"a late word: {name}", standing, log("a"), Then(0), again=Then(0))
        for name, standing in (
            ("it is under another claim", {"rq:job:a": job("started", worker_name="w2", p_token=8)}),
            ("it was recovered", {"rq:job:a": job("queued")}),
            ("it is gone", {}),
            ("something else is in its place", {"rq:job:a": "oops"}),
        )
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_log(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)
