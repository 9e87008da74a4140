"""The tally: numbers that one process writes and another sums up, bounded by what the app declares."""

import pytest

from postroom.jobs.times import rq_time
from postroom.workers import tally
from postroom.workers.board import Board
from postroom.workers.claimed import Claimed, read_claim
from postroom.workers.outcome import Outcome, finished, released
from postroom.workers.tally import BOUNDS, OTHER, OUTCOMES, Row, Tally, Totals

BEGAN = 1_700_000_000.0


@pytest.fixture
def board() -> Board:
    """One with a tally."""
    return Board(2, counts=True)


def memory(board: Board) -> memoryview:
    assert board.tally is not None
    return board.tally


def job(queue: str = "mail", task: str = "send", *, waited: float = 0.0, started: float = BEGAN) -> Claimed:
    found = read_claim([7, [*([None] * 13), rq_time(BEGAN - waited).encode(), b"job-1"]], queue, 0.0)[0]
    found.task, found.started = task, started
    return found


def ran(claimed: Claimed, took: float = 0.0) -> Outcome:
    outcome = finished(claimed, b"1", BEGAN, BEGAN + took, 500)
    outcome.ended = BEGAN + took
    return outcome


def rows(board: Board) -> dict[tuple[str, str], Row]:
    totals = Totals()
    totals.add(memory(board))
    return {(row.queue, row.task): row for row in totals.rows}


def test_a_new_tally_is_empty(board: Board) -> None:
    assert rows(board) == {}


def test_what_a_batch_was_and_how_long_it_took(board: Board) -> None:
    found = Tally(memory(board), ["mail"], ["send"])
    found.count([ran(job(waited=0.02), 0.003), ran(job(waited=20.0), 9000.0)], ["OK", "OK"])
    found.count([ran(job(), 0.003)], ["STALE"])
    (row,) = rows(board).values()
    assert row.outcomes == {"completed": 2, "retried": 0, "buried": 0, "released": 0, "stale": 1, "declined": 0}
    assert row.took.counts == (*(0 if bound < 0.003 else 2 for bound in BOUNDS), 3)
    assert row.took.sum == pytest.approx(9000.006, abs=1e-5)
    assert row.waited.counts == (*(1 if bound < 0.02 else 2 if bound < 20 else 3 for bound in BOUNDS), 3)
    assert row.waited.sum == pytest.approx(20.02, abs=1e-4)


def test_a_bound_is_part_of_its_bucket(board: Board) -> None:
    Tally(memory(board), ["mail"], ["send"]).count([ran(job(), BOUNDS[8])], ["OK"])
    (row,) = rows(board).values()
    assert row.took.counts == (*([0] * 8), *([1] * (len(BOUNDS) - 8)), 1)


@pytest.mark.parametrize(
    ("verb", "outcome"),
    [
        *(("complete", "completed"), ("retry", "retried"), ("bury", "buried"), ("release", "released")),
        ("decline", "declined"),
    ],
)
def test_every_verb_has_its_outcome(verb: str, outcome: str, board: Board) -> None:
    Tally(memory(board), ["mail"], ["send"]).count([Outcome(verb, job(), [])], ["ALREADY"])
    (row,) = rows(board).values()
    assert row.outcomes == {name: int(name == outcome) for name in OUTCOMES}


def test_what_never_began_took_no_time_and_what_has_no_date_did_not_wait(board: Board) -> None:
    found = Tally(memory(board), ["mail"], ["send"])
    undated = ran(job(), 1.0)
    undated.job.enqueued_at = b"yesterday"
    found.count([released(job(started=0.0))], ["OK"])
    found.count([undated], ["OK"])
    (row,) = rows(board).values()
    assert (row.took.counts[-1], row.waited.counts[-1]) == (1, 0)


def test_what_the_app_does_not_declare_has_one_name(board: Board) -> None:
    found = Tally(memory(board), ["mail"], ["send"])
    for number in range(3):
        found.count([ran(job(f"queue-{number}", f"task-{number}"))], ["OK"])
        found.count([ran(job("mail", f"task-{number}")), ran(job("mail", "send"))], ["OK", "OK"])
    counts = {labels: row.outcomes["completed"] for labels, row in rows(board).items()}
    assert counts == {(OTHER, OTHER): 3, ("mail", OTHER): 3, ("mail", "send"): 3}


def test_there_is_an_end_to_the_rows_and_nothing_is_lost_there(board: Board) -> None:
    tasks = [f"task-{number}" for number in range(tally.MOST_ROWS + 50)]
    found = Tally(memory(board), ["mail"], tasks)
    for task in (*tasks, *tasks):
        found.count([ran(job(task=task))], ["OK"])
    counted = rows(board)
    assert len(counted) == tally.MOST_ROWS
    assert sum(row.outcomes["completed"] for row in counted.values()) == 2 * len(tasks)
    assert counted[OTHER, OTHER].outcomes["completed"] == 2 * 51


def test_names_that_do_not_fit_and_names_that_are_hardly_text(board: Board) -> None:
    found = Tally(memory(board), ["mail"], ["x" * 300, "é\udcff"])
    found.count([ran(job(task="x" * 300)), ran(job(task="é\udcff"))], ["OK", "OK"])
    assert set(rows(board)) == {(OTHER, OTHER), ("mail", "é?")}


def test_the_sum_of_several_and_of_those_that_are_gone(board: Board) -> None:
    gone = Totals()
    first = Tally(memory(board), ["mail"], ["send"])
    first.count([ran(job(), 1.0)], ["OK"])
    first.count_outage()
    gone.add(memory(board))
    other = Board(2, counts=True)
    second = Tally(memory(other), ["mail"], ["send", "later"])
    second.count([ran(job(), 2.0)], ["OK"])
    second.count([ran(job(task="later"))], ["OK"])
    second.count_outage()
    total = gone.plus(iter([memory(other)]))
    assert [(row.task, row.outcomes["completed"], row.took.sum) for row in total.rows] == [
        ("later", 1, 0),
        ("send", 2, 3),
    ]
    assert total.outages == 2
    assert [(row.task, row.outcomes["completed"]) for row in gone.rows] == [("send", 1)], "it is a new sum"


def test_it_leaves_the_slots_alone(board: Board) -> None:
    board.enter(1, "x" * 128, 2**60, 5.0, 6.0)
    Tally(memory(board), ["mail"], ["send"]).count([ran(job())], ["OK"])
    (running,) = board.running()
    assert (running.id, running.token, running.hard_deadline) == ("x" * 128, 2**60, 6.0)
    board.enter(1, "y", 1, 5.0, 6.0)
    assert set(rows(board)) == {("mail", "send")}


def test_without_there_is_none() -> None:
    assert Board(2).tally is None
