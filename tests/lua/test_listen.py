"""listen.lua and prune.lua: a look at the record, and how it is kept within its bounds."""

from dataclasses import replace
from typing import Any

import pytest

from postroom.jobs.scripts import SCRIPTS
from tests.lua.table import Call, FromNow, Lasting, Refused, Row, Space, Stream, Table, Then, lasting
from tests.lua.test_record import ON


def listen(after: str, count: int = 10, ttl: int = 900, now: Any = 1000) -> Call:
    """One call."""
    return Call("listen", {"after": after, "count": count, "ttl": ttl, "now": now})


THREE = {"postroom:record": Stream({"*": f"{at}-0", "event": "x"} for at in (10, 20, 30))}
LEFT = {"postroom:record": Stream({"event": "x"} for _ in range(3))}

OOPS: tuple[tuple[str, Space, Any], ...] = (
    ("postroom:record", ON, ["oops"]),
    ("postroom:recording", {}, lasting(900, ["oops"])),
)

LISTENING = (
    Row(
        "what comes after an entry; and from now on the record is kept",
        THREE,
        listen("10-0"),
        Then(
            ["999999-0", 3, 3, "10-0", "30-0", ["20-0", ["event", "x"]], ["30-0", ["event", "x"]]],
            {**LEFT, "postroom:recording": lasting(900, "999999-0")},
        ),
        again=Then(["999999-0", 3, 3, "10-0", "30-0", ["20-0", ["event", "x"]], ["30-0", ["event", "x"]]]),
    ),
    Row(
        "no more than asked for; it was kept, and will be for longer",
        {**THREE, "postroom:recording": lasting(60, "5-0")},
        listen("0-0", count=1),
        Then(
            ["5-0", 3, 3, "10-0", "30-0", ["10-0", ["event", "x"]]],
            {**LEFT, "postroom:recording": lasting(900, "5-0")},
        ),
        again=Then(["5-0", 3, 3, "10-0", "30-0", ["10-0", ["event", "x"]]]),
    ),
    Row(
        "only where its end is",
        {**THREE, **ON},
        listen(""),
        Then(["5-0", 3, 3, "10-0", "30-0"]),
        again=Then(["5-0", 3, 3, "10-0", "30-0"]),
    ),
    Row(
        "there is nothing yet",
        ON,
        listen("7-0"),
        Then(["5-0", 0, 0, "0-0", "0-0"]),
        again=Then(["5-0", 0, 0, "0-0", "0-0"]),
    ),
    Row(
        "a stream that is kept whoever asks",
        THREE,
        listen("20-0", ttl=0),
        Then(["", 3, 3, "10-0", "30-0", ["30-0", ["event", "x"]]]),
        again=Then(["", 3, 3, "10-0", "30-0", ["30-0", ["event", "x"]]]),
    ),
    *(
        Row(
            f"something else stands in the place of {key}",
            {key: ["oops"], **more},
            listen("1-0"),
            Then(Refused("WRONGTYPE"), {key: then, **more}),
            again=Then(Refused("WRONGTYPE")),
        )
        for key, more, then in OOPS
    ),
)

BIG = "x" * 5000
OLD, NEW = {"*": "10-0", "event": BIG}, {"*": "900000-0", "event": BIG}


def prune(seconds: int = 500, most: int = 10**6, now: Any = 1000) -> Call:
    """One call."""
    return Call("prune", {"seconds": seconds, "most": most, "now": now})


class About(int):
    """A number of bytes, which is the server's own affair."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int) and abs(int(self) - other) < 2500

    __hash__ = int.__hash__


PRUNING = (
    Row(
        "what is too old goes",
        {"postroom:record": Stream([OLD, OLD | {"*": "20-0"}, NEW])},
        prune(),
        Then(About(7000), {"postroom:record": Stream([{"event": BIG}])}),
        again=Then(About(7000)),
    ),
    Row(
        "by the server's clock",
        {"postroom:record": Stream([NEW, {"event": BIG}])},
        prune(now=""),
        Then(About(7000), {"postroom:record": Stream([{"event": BIG}])}),
        again=Then(About(7000)),
    ),
    Row(
        "what is too much goes, the first first",
        {"postroom:record": Stream(NEW | {"*": f"90000{n}-0"} for n in range(8))},
        prune(most=30_000),
        Then(About(41_000), {"postroom:record": Stream([{"event": BIG}] * 5)}),
        again=Then(About(25_700)),
    ),
    Row("nothing is recorded", {}, prune(), Then(0), again=Then(0)),
    Row(
        "something else stands there",
        {"postroom:record": "oops"},
        prune(),
        Then(Refused("WRONGTYPE")),
        again=Then(Refused("WRONGTYPE")),
    ),
)

ROWS = (*LISTENING, *PRUNING)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.when.script}: {row.name}")
def test_listen(row: Row, table: Table) -> None:
    """Every row of the table."""
    table.check(row)


def test_by_the_servers_clock(table: Table) -> None:
    """The record is kept from now on; its beginning is an id just before now."""
    row = replace(LISTENING[3], given={}, when=listen("7-0", now=""))
    (reply,), space = table.left_by(row, SCRIPTS["listen"])
    assert FromNow(0) == str(int(reply[0].removesuffix("-0")) / 1000)
    assert space == {"postroom:recording": Lasting(900, reply[0])}
