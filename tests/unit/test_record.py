"""The record: entries as events, and a cursor that knows what it missed."""

from collections.abc import Sequence

import pytest

from postroom import ConfigError, Event, Postroom
from postroom.jobs.events import Wanted, place
from postroom.jobs.record import GAP, START, Cursor, Look

ASKED = 3


class Stream:
    """A stream as the server keeps one."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.added = 0
        self.began = "5-0"

    def add(self, *ids: int) -> None:
        """New entries."""
        self.ids += ids
        self.added += len(ids)

    def look(self, cursor: Cursor) -> Look:
        """What listen.lua would reply."""
        after = int(cursor.after.partition("-")[0] or 10**6)
        events = [Event(f"{one}-0", "x") for one in self.ids if one > after][:ASKED]
        first, last = (self.ids[0], self.ids[-1]) if self.ids else (0, 0)
        return Look(self.began, self.added, len(self.ids), f"{first}-0", f"{last}-0", events)


def read(cursor: Cursor, stream: Stream) -> list[object]:
    """Ids, and `missed` of gaps in brackets."""
    taken = cursor.take(stream.look(cursor), ASKED)
    return [[one.missed] if one.event == GAP else int(one.id.partition("-")[0]) for one in taken]


@pytest.fixture
def stream() -> Stream:
    """Four entries, kept since before the first."""
    found = Stream()
    found.add(10, 20, 30, 40)
    return found


def test_from_now_on(stream: Stream) -> None:
    cursor = Cursor("")
    assert read(cursor, stream) == []
    assert cursor.after == "40-0"
    stream.add(50)
    assert read(cursor, stream) == [50]
    assert read(cursor, stream) == []


def test_from_the_start_nothing_is_missing(stream: Stream) -> None:
    del stream.ids[:1]
    cursor = Cursor(START)
    assert (read(cursor, stream), read(cursor, stream)) == ([20, 30, 40], [])


def test_what_was_read_may_go(stream: Stream) -> None:
    cursor = Cursor(START)
    read(cursor, stream)
    read(cursor, stream)
    stream.ids.clear()
    stream.add(50)
    assert read(cursor, stream) == [50]


@pytest.mark.parametrize("before", [1, 2])
def test_what_was_not_read_and_went_is_counted(stream: Stream, before: int) -> None:
    cursor = Cursor(START)
    for _ in range(before):
        read(cursor, stream)  # in pages: the end is known after the second
    stream.add(50, 60, 70, 80)
    stream.ids = [70, 80]
    unread = 3 if before == 1 else 2
    assert read(cursor, stream) == [[unread], 70, 80]
    stream.add(90)
    assert read(cursor, stream) == [90]


def test_full_pages_are_counted_on(stream: Stream) -> None:
    stream.add(50, 60, 70)
    cursor = Cursor("5-0")
    assert (read(cursor, stream), read(cursor, stream)) == ([10, 20, 30], [40, 50, 60])
    stream.add(80)
    stream.ids = [80]
    assert read(cursor, stream) == [[1], 80]


@pytest.mark.parametrize(
    ("since", "told"), [("20-0", [30, 40]), ("15-0", [20, 30, 40]), ("10-0", [[None], 20, 30, 40])]
)
def test_from_an_entry(stream: Stream, since: str, told: Sequence[object]) -> None:
    """Of an entry that is gone nobody knows whether it was the last that went."""
    if since == "10-0":
        del stream.ids[:1]
    assert read(Cursor(since), stream) == told


def test_nobody_asked_for_a_while(stream: Stream) -> None:
    cursor = Cursor("")
    read(cursor, stream)
    stream.add(50)
    stream.began = "60-0"
    stream.add(70)
    assert read(cursor, stream) == [[None], 50, 70]
    assert read(cursor, stream) == []


def test_a_listener_that_begins_the_record_misses_nothing(stream: Stream) -> None:
    stream.began = "100-0"
    cursor = Cursor("")
    assert read(cursor, stream) == []
    stream.add(110)
    assert read(cursor, stream) == [110]


def test_the_server_has_lost_everything(stream: Stream) -> None:
    cursor = Cursor(START)
    read(cursor, stream)
    anew = Stream()
    anew.began = "90-0"
    assert read(cursor, anew) == [[None]]
    anew.add(100)
    assert read(cursor, anew) == [100]


def test_an_entry_that_nobody_of_us_wrote() -> None:
    assert Event.read(b"5000-1", [b"event", b"\xff", b"jobs", b"{"]) == Event("5000-1", "\ufffd")
    assert Event.read(b"5000-1", [b"queue", b"q", b"jobs", b'["a"]']) == Event("5000-1", "buried", "q", ("a",))
    assert Event.read(b"5000-1", [b"event", b"x", b"ids", b"a b"]) == Event("5000-1", "x", jobs=("a", "b"))
    assert Event.read(b"5000-1", [b"event", b"x", b"ids", b""]).jobs == ()
    assert Event("5000-1", "x").at == 5.0


def test_where_a_subscription_begins() -> None:
    assert [place(since) for since in (None, 0, 12.5, "12-3", "12")] == ["", START, "12499-0", "12-3", "12"]


@pytest.mark.parametrize("since", ["yesterday", -1, float("nan"), True, "1-2-3", 1e12])
def test_a_beginning_that_is_none(since: object) -> None:
    with pytest.raises(ConfigError, match="since="):
        place(since)  # type: ignore[arg-type]


def test_what_is_wanted() -> None:
    finished, worker = Event("1-0", "finished", "q", ("a",)), Event("1-0", "worker-up", worker="w")
    gap = Event("1-0", GAP)
    for wanted, taken in {
        Wanted(): [finished, worker, gap],
        Wanted(queue="q"): [finished, gap],
        Wanted(queue="r"): [gap],
        Wanted(task="t"): [finished, gap],
        Wanted(events=("worker-up", "buried")): [worker, gap],
    }.items():
        assert [event for event in (finished, worker, gap) if wanted.takes(event)] == taken
    assert [Wanted(events=names).stream for names in ((), ("buried",), ("buried", "retried"))] == [
        "record",
        "dead",
        "record",
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"events": ["finish"]}, "no event 'finish'.*finished"),
        ({"events": ["failed"]}, "retried or buried"),
        ({"events": "finished"}, "list of names"),
        ({"queue": "a\nb"}, "queue"),
    ],
)
def test_what_can_match_nothing(given: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Postroom("redis://127.0.0.1:1").events(**given)  # type: ignore[arg-type]
