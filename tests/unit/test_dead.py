"""Dead letters without a server: filters, groups, lines of a file, and what the command reads and prints."""

import json
import pickle
from typing import Any

import click
import pytest

from postroom.commands.dead_options import Age, Rate, ago, plain
from postroom.jobs.errors import ConfigError, DecodeError, NotDead
from postroom.monitor.dead import DeadLetter, Filter, Group, Summary, merge
from postroom.monitor.dead.files import FORMAT, decode, encode
from postroom.monitor.dead.moves import Action, Moved

T = b"2026-01-01T00:00:00.000000Z"
STORED = {b"status": b"failed", b"data": b"\xff\x00", b"p:token": b"7", b"p:reason": "né".encode()}


def group(queue: str = "q", task: str = "t", print_: str = "f", count: int = 1, last: float | None = 5) -> Group:
    """Some dead letters."""
    return Group(queue, task, "killed", print_, count, last and last - 1, last, f"of {queue} {task} {last}", "R")


def line(**changes: Any) -> bytes:
    """A line as it is exported, with changes."""
    return json.dumps({**json.loads(encode("a", "q", -1, STORED, {})), **changes}).encode()


def test_a_line_restores_what_was_stored() -> None:
    read = decode(encode("a", "q", 1900.5, STORED, {b"type": b"2"}))
    assert (read.id, read.queue, read.expiry, read.format) == ("a", "q", 1900.5, FORMAT)
    flat = [part if isinstance(part, bytes) else part.encode() for part in read.flat]
    assert dict(zip(flat[::2], flat[1::2], strict=True)) == {k: v for k, v in STORED.items() if k != b"p:token"}
    assert json.loads(read.entry) == ["type", "2"]
    assert decode(line()).entry == ""


def test_a_date_that_is_none_keeps_no_file_from_being_read_again() -> None:
    stored = {**STORED, b"enqueued_at": b"noon", b"ended_at": b"\xff", b"created_at": b"", b"started_at": T}
    assert decode(encode("a", "q", -1, stored, {})).fields.keys() - {"status", "p:reason"} == {
        "created_at",
        "started_at",
    }


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": 2}, "format 2 is not known here"),
        ({"id": "a b"}, "'a b' cannot be a job's id"),
        ({"queue": ""}, "queue"),
        ({"fields": {}}, "the status is None"),
        ({"expiry": -2}, "expiry=-2"),
        ({"expiry": 1e11}, "is no time"),
        ({"expiry": "soon"}, "expiry"),
        ({"fields": {"status": "failed", "ended_at": "noon"}}, "ended_at='noon' is no date"),
        ({"binary": {"data": "*"}}, "'data' is not base64"),
        ({"fields": {"status": 1}}, "fields"),
    ],
)
def test_a_broken_line_says_what_is_wrong(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(DecodeError) as raised:
        decode(line(**changes))
    assert says in str(raised.value)


def test_a_filter_is_checked() -> None:
    for wrong in ({"queue": "a\nb"}, {"cause": "fate"}, {"since": 5.0, "before": 5.0}):
        with pytest.raises(ConfigError):
            Filter(**wrong)


def test_a_filter_looks_at_the_reason_in_lower_case_where_that_is_ascii() -> None:
    assert Filter(error="ÄRGER").args()["err"] == "Ärger"
    assert Filter(since=0.0, before=1.5).args()["before"] == "1970-01-01T00:00:01.500000Z"
    assert Filter().args() == dict.fromkeys(("task", "err", "fingerprint", "cause", "after", "before"), "")


def test_what_is_narrow() -> None:
    assert not Filter(before=9.0).narrow
    assert Filter(task="t").narrow


def test_groups_are_joined_by_what_is_asked() -> None:
    groups = [group(), group("r", last=9), group("r", task="u", print_="g", count=5)]
    first, second = merge(groups, "task")
    assert (first.task, first.count) == ("u", 5)
    assert (second.task, second.count, second.queue, second.fingerprint) == ("t", 2, "", "f")
    assert (second.first, second.last, second.example) == (4, 9, "of r t 9")
    assert [found.count for found in merge(groups)] == [5, 1, 1]
    assert merge([]) == []


def test_groups_without_times_are_joined() -> None:
    (joined,) = merge([group(last=None), group(last=3)], "task")
    assert (joined.first, joined.last, joined.count) == (2, 3, 2)


def test_why_in_a_sentence() -> None:
    def why(cause: str, attempts: int | None = 3) -> str:
        summary = Summary("a", "q", "t", "R", cause, "f", attempts, None, -1)
        return DeadLetter(summary, [], "", "", 0, 0, None, None, None, "", [], None, None, []).why

    assert why("exhausted").endswith(": its retries are used up, 3 attempts were made.")
    assert why("poison").endswith(": too many processes died while they ran it.")
    assert "of a later version" in why("of a later version")
    assert "was not recorded" in why("")


def test_an_action_is_read_as_it_was_kept() -> None:
    action = Action.new("purge")
    assert Action.read(action.about.encode()) == action
    assert Action.read(None) is None


def test_the_first_few_that_were_left_are_named() -> None:
    moved = Moved("A")
    for number in range(12):
        moved.add(f"j{number}", "gone")
    assert (moved.count, moved.left, len(moved.left_ids)) == (0, {"gone": 12}, 10)


def test_not_dead_crosses_a_process_pool() -> None:
    error = pickle.loads(pickle.dumps(NotDead("a", "", ["b"])))
    assert (str(error), error.nearest) == ("there is no dead letter a; the nearest: b", ("b",))


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1.5h", 5400), ("2d", 172_800), ("1w", 604_800)])
def test_ages(text: str, seconds: float) -> None:
    assert Age().convert(text, None, None) == seconds


@pytest.mark.parametrize(("text", "rate"), [("50/s", 50), ("120/m", 2), ("3600/h", 1)])
def test_rates(text: str, rate: float) -> None:
    assert Rate().convert(text, None, None) == rate


@pytest.mark.parametrize("text", ["", "5", "-1h", "h", "1y"])
def test_no_ages(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Age().convert(text, None, None)


@pytest.mark.parametrize("text", ["0/s", "50", "50/y", "/s"])
def test_no_rates(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Rate().convert(text, None, None)


def test_how_long_ago() -> None:
    now = 10_000_000.0
    assert [ago(now - age, now) for age in (5, 119, 120, 7_200, 200_000, 2e6)] == ["5s", "119s", "2m", "2h", "2d", "3w"]
    assert (ago(None, now), ago(now + 9, now)) == ("?", "0s")


def test_text_that_would_steer_a_terminal() -> None:
    assert plain("a\x1b[2Jb\tc\nd\x9b") == "a�[2Jb\tc\nd�"
