"""What handlers log, on its way to the server; and what a deadline does to a job that is about to begin."""

import time

import pytest

from postroom.jobs.joblog import MOST_BYTES, MOST_LINES, log_lines
from postroom.workers.claimed import Claimed, read_claim
from postroom.workers.notes import Notes
from postroom.workers.ready import THREAD, Ready


def claimed(deadline: bytes | None) -> Claimed:
    """A job that was claimed now."""
    return read_claim([7, [*([None] * 11), deadline, None, b"job-1"]], "q", time.monotonic())[0]


def ready(deadline: bytes | None, timeout: float) -> Ready:
    return Ready(claimed(deadline), "task", THREAD, timeout, 0)


def test_lines_stay_until_they_are_confirmed() -> None:
    notes = Notes()
    for text in (b"a\n", b"b\n"):
        notes.add(text)
    assert notes.take() == (0, 2, b"a\nb\n") == notes.take()
    notes.add(b"c\n")
    notes.confirmed(2)
    assert notes.take() == (2, 1, b"c\n")
    notes.confirmed(2)  # an older word that comes late
    assert notes.take() == (2, 1, b"c\n")
    notes.confirmed(3)
    assert notes.take() == (3, 0, b"")


def test_the_newest_are_kept_while_the_server_is_away() -> None:
    notes = Notes()
    for n in range(MOST_LINES + 3):
        notes.add(f"{n}\n".encode())
    first, count, text = notes.take()
    assert (first, count, text.splitlines()[0]) == (3, MOST_LINES, b"3")
    notes.add(b"x" * (MOST_BYTES - 2) + b"\n")
    assert notes.take()[:2] == (MOST_LINES + 3, 1)


def test_they_survive_a_process() -> None:
    notes = Notes(first=4, lines=[b"a\n", b"b\n"])
    assert Notes.read(*notes.take()).take() == (4, 2, b"a\nb\n")


def test_a_timeout_ends_with_the_deadline() -> None:
    one = ready(b"2000.5 30.000000", 300)
    assert one.begin()
    assert one.timeout == pytest.approx(30, abs=1)
    assert one.job.ends == 2000.5
    endless = ready(b"2000.5 30.000000", 0)
    assert endless.begin()
    assert endless.timeout == pytest.approx(30, abs=1), "one that may run for ever has a deadline all the same"
    short = ready(b"2000.5 30.000000", 3)
    assert short.begin()
    assert short.timeout == 3


@pytest.mark.parametrize("deadline", [None, b"", b"soon", b"nan 3", b"inf inf"])
def test_what_is_no_deadline_ends_nothing(deadline: bytes | None) -> None:
    one = ready(deadline, 3)
    assert one.begin()
    assert (one.timeout, one.job.ends) == (3, None)


def test_what_is_over_does_not_begin() -> None:
    assert not ready(b"2000.5 -0.100000", 300).begin()


def test_a_log_that_others_have_written_to() -> None:
    line = b'{"at":1.0,"level":"INFO","attempt":1,"text":"x"}'
    assert log_lines({"p:log": None, "p:logged": None}) == []
    assert [one.number for one in log_lines({"p:log": line + b"\n" + line + b"\n", "p:logged": b"9 7 2"})] == [8, 9]
    assert [one.number for one in log_lines({"p:log": b"{}\n" + line, "p:logged": b"?"})] == [2]
