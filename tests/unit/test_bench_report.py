"""The benchmark's arithmetic: medians, ratios, and what becomes of a target."""

import pytest

from benchmarks import page, targets
from benchmarks.measure import Figure
from benchmarks.report import Reading, Report
from benchmarks.target import Target

RATE, OTHER, WAIT = Figure("drain", "jobs/s"), Figure("payload", "jobs/s"), Figure("latency", "ms")


def report(*readings: tuple[Figure, str, float], server: str = "Valkey 9") -> Report:
    return Report([Reading(figure, server, contender, 100, value) for figure, contender, value in readings])


RUNS = report(
    (RATE, "ours", 100.0),
    (RATE, "slow", 10.0),
    (RATE, "fast", 50.0),
    (WAIT, "ours", 2.0),
    (RATE, "ours", 900.0),
    (RATE, "slow", 30.0),
    (RATE, "fast", 50.0),
    (RATE, "ours", 200.0),
    (RATE, "slow", 20.0),
    (RATE, "fast", 50.0),
    (OTHER, "ours", 150.0),
    (WAIT, "slow", 4.0),
    (WAIT, "fast", 1.0),
)


def test_a_row_has_the_median_of_all_runs_their_range_and_the_ratio_to_the_base() -> None:
    table = RUNS.table("slow").splitlines()
    assert "| drain | Valkey 9 | ours | 100 | 200 jobs/s | 100 … 900 | 10.0 |" in table
    assert "| drain | Valkey 9 | fast | 100 | 50.0 jobs/s | 50.0 … 50.0 | 2.50 |" in table
    assert "| payload | Valkey 9 | ours | 100 | 150 jobs/s | 150 … 150 |  |" in table


def test_the_rows_of_a_figure_stand_together_in_the_order_of_their_first_readings() -> None:
    assert [(row.figure.name, row.contender) for row in RUNS.rows] == [
        ("drain", "ours"),
        ("drain", "slow"),
        ("drain", "fast"),
        ("latency", "ours"),
        ("latency", "slow"),
        ("latency", "fast"),
        ("payload", "ours"),
    ]


@pytest.mark.parametrize(
    ("target", "value", "against", "reached"),
    [
        (Target("ours", RATE, 200), 200.0, "", True),
        (Target("ours", RATE, 201), 200.0, "", False),
        (Target("ours", RATE, 4, against=("slow", "fast")), 4.0, "fast", True),
        (Target("ours", RATE, 4.1, against=("slow", "fast")), 4.0, "fast", False),
        (Target("ours", WAIT, 1.5, at_most=True, against=("slow", "fast")), 2.0, "fast", False),
        (Target("ours", WAIT, 0.5, at_most=True, against=("slow",)), 0.5, "slow", True),
        (Target("ours", OTHER, 0.75, against=("ours",), over=RATE), 0.75, "ours", True),
    ],
)
def test_a_target_takes_the_best_of_those_it_is_measured_against(
    target: Target, value: float, against: str, reached: bool
) -> None:
    verdict = target.judge(RUNS, "Valkey 9")
    assert (verdict.value, verdict.against, verdict.reached) == (value, against, reached)


@pytest.mark.parametrize(
    "target",
    [
        Target("nobody", RATE, 1),
        Target("ours", RATE, 1, against=("nobody",)),
        Target("ours", OTHER, 1, against=("slow",)),
    ],
)
def test_what_was_not_measured_is_neither_reached_nor_missed(target: Target) -> None:
    verdict = target.judge(RUNS, "Valkey 9")
    assert (verdict.value, verdict.reached, verdict.word) == (None, None, "not measured")


def test_a_verdict_names_its_server_and_its_bound() -> None:
    target = Target("ours", OTHER, 0.9, against=("ours",), over=RATE)
    assert target.judge(RUNS, "Valkey 9").line() == "Valkey 9 · payload: ≥ 0.9 × ours's drain · NOT reached (0.75)"


def test_the_page_has_a_verdict_for_each_server_and_says_what_was_not_measured() -> None:
    two = Report(
        Reading(targets.ALL[0].figure, server, name, 100, rate)
        for server, ours in (("Valkey 9", 1000.0), ("Redis 7", 2000.0))
        for name, rate in ((targets.ALL[0].ours, ours), (targets.ALL[0].against[0], 10.5))
    )
    lines = page.targets_table(page.verdicts(two)).splitlines()
    assert lines[0] == "| | target | Valkey 9 | Redis 7 |"
    assert lines[2] == "| drain | ≥ 100 × RQ SimpleWorker | **95.2 · not reached** | 190 · reached |"
    assert lines[-1].startswith("Not measured in this run: drain ≥ 2 × BullMQ, ")
