"""The board: what a worker process writes there, another process reads, also when the writer is dead."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from postroom.workers.board import ID_BYTES, Board
from postroom.workers.keeper import FRESH, lives

WRITER = """
import sys
from postroom.workers.board import Board
board = Board(3, int(sys.argv[1]))
board.enter(1, "dying", 42, 1000.5, 0.0)
board.count_claim()
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def board() -> Iterator[Board]:
    """One with three slots."""
    made = Board(3)
    yield made
    made.close()


def test_a_new_board_is_empty(board: Board) -> None:
    assert (board.ticked, board.claims, board.leases_lost) == (0.0, 0, 0)
    assert not list(board.running())
    assert not list(board.last_seen())


def test_the_longest_id_stands_there_whole(board: Board) -> None:
    board.enter(2, "a" * ID_BYTES, 7, 1.0, 0.0)
    assert [job.id for job in board.running()] == ["a" * ID_BYTES]


def test_a_job_enters_and_leaves_and_its_name_stays(board: Board) -> None:
    longest = "x" * 128
    board.enter(2, longest, 2**60, 1000.5, 77.25)
    board.enter(0, "short", 3, 1001.0, 0.0)
    first, second = board.running()
    assert (first.slot, first.id, first.token, first.started, first.hard_deadline) == (0, "short", 3, 1001.0, 0.0)
    assert (second.slot, second.id, second.token, second.started, second.hard_deadline) == (
        *(2, longest, 2**60, 1000.5, 77.25),
    )
    board.leave(2)
    assert [job.id for job in board.running()] == ["short"]
    assert [(job.id, job.started) for job in board.last_seen()] == [("short", 1001.0), (longest, 0.0)]
    board.enter(2, "next", 4, 1002.0, 0.0)
    assert [job.id for job in board.running()] == ["short", "next"], "nothing is left of the longer name"


def test_the_head(board: Board) -> None:
    board.tick()
    assert 0 <= time.monotonic() - board.ticked < 5
    for _ in range(3):
        board.count_claim()
    board.lose_lease()
    assert (board.claims, board.leases_lost) == (3, 1)
    assert not list(board.last_seen())


def test_two_maps_of_one_board_are_one(board: Board) -> None:
    other = Board(3, os.dup(board.fd))
    other.enter(1, "job", 7, 5.0, 0.0)
    assert [job.id for job in board.running()] == ["job"]
    board.leave(1)
    assert not list(other.running())
    other.close()


def test_it_outlives_its_writer(board: Board) -> None:
    command = [sys.executable, "-c", WRITER, str(board.fd)]
    with subprocess.Popen(command, pass_fds=(board.fd,), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
    (dead,) = board.running()
    assert (dead.slot, dead.id, dead.token, dead.started, board.claims) == (1, "dying", 42, 1000.5, 1)


@pytest.mark.parametrize(
    ("ticked_ago", "jobs", "alive"),
    [
        (0.0, (), True),
        (FRESH - 1, (), True),
        (FRESH + 1, (), False),
        (FRESH + 1, (0.0,), True),
        (FRESH + 1, (5.0,), True),
        (FRESH + 1, (-5.0,), False),
        (FRESH + 1, (-5.0, 5.0), True),
        (0.0, (-5.0,), True),
    ],
)
def test_a_process_lives_while_its_loop_goes_round_or_a_job_of_it_has_time(
    ticked_ago: float, jobs: tuple[float, ...], alive: bool, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`jobs`: in how many seconds each one's hard deadline is, 0 for never."""
    now = time.monotonic()
    shown: Callable[[], float] = lambda: now - ticked_ago  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr("postroom.workers.board.time.monotonic", shown)
        board.tick()
    for slot, left in enumerate(jobs):
        board.enter(slot, f"job-{slot}", 1, 1000.0, now + left if left else 0.0)
    assert lives(board) is alive
