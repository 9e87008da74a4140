"""The verdict of the fault harness: a history that is right is green, and each thing that may be wrong turns it red."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fault.cases.keys import EACH, out_of_order, unfinished
from tests.fault.history import Event, Fault, History, Run, Step
from tests.fault.scan import Scan
from tests.fault.verdict import SLACK, Verdict, judge, runs_again


class Told:
    """A history by hand: job `a` is run by process 11 of pool 1 at 100 s, which is killed; process 12 runs it again."""

    def __init__(self, folder: Path) -> None:
        self.history = History(folder)
        self.scan = Scan()
        self.job = {"status": "finished", "p:redelivered": "1"}
        self.scan.hashes["a"] = self.job
        self.scan.places["a"] = ["finished"]
        self.acked = ["a"]
        self.runs = [start(7, 11, 100.0), start(8, 12, 100.5), start(8, 12, 100.6, what="end")]
        self.faults = [Fault("SIGKILL", 11, 100.2)]
        self.events = [Event("recovered", "a", 100.3), Event("finished", "a", 100.6)]
        self.overdue: list[tuple[str, int]] = []
        self.within: float | None = 1.0

    def judged(self) -> Verdict:
        """The verdict."""
        history = self.history
        history.acked(*self.acked)
        history._write("runs", *(_line(run) for run in self.runs))
        history._write("events", *(f"{e.what} {e.job_id} {e.at}" for e in self.events))
        for fault in self.faults:
            history.fault(fault.what, fault.pid, fault.at)
        for job_id, token in self.overdue:
            history.overdue(job_id, token)
        return judge("a case", 1, history, self.scan, within=self.within)


def start(token: int, pid: int, at: float, *, what: str = "start", attempt: int = 1, parent: int = 1) -> Run:
    """A line of the handler of job `a`."""
    return Run(what, "a", token, attempt, pid, parent, at)


def _line(run: Run) -> str:
    return f"{run.what} {run.job_id} {run.token} {run.attempt} {run.pid} {run.parent} {run.at}"


def test_what_a_death_explains_is_green(tmp_path: Path) -> None:
    verdict = Told(tmp_path).judged()
    assert verdict.red == []
    assert (verdict.acked, verdict.duplicate_runs, verdict.recover_max) == (1, 1, 0.3)


def test_a_part_of_a_line_was_not_written(tmp_path: Path) -> None:
    told = Told(tmp_path)
    with (tmp_path / "runs").open("a") as runs:
        runs.write("\nstart b 7 1 2136")  # killed, as it wrote
    assert told.judged().red == []
    assert [run.job_id for run in told.history.all_runs()] == ["a"] * 3


def nothing_acked(told: Told) -> None:
    told.acked = []


def never_ended(told: Told) -> None:
    told.runs.pop()
    told.events.pop()


def completed_twice(told: Told) -> None:
    told.events.append(Event("finished", "a", 100.7))


def buried_too(told: Told) -> None:
    told.events.append(Event("buried", "a", 100.7))


def completion_not_accepted(told: Told) -> None:
    told.events.pop()
    told.scan.hashes.clear()
    told.scan.places.clear()


def no_fault(told: Told) -> None:
    told.faults = []


def fault_of_another(told: Told) -> None:
    told.faults = [Fault("SIGKILL", 12, 100.2)]


def fault_of_the_server(told: Told) -> None:
    told.faults = [Fault("maxmemory", 0, 100.2)]


def told_to_stop(told: Told) -> None:
    told.faults = [Fault("SIGTERM", 11, 100.2)]


def fault_afterwards(told: Told) -> None:
    told.faults = [Fault("SIGKILL", 11, 100.51)]


def fault_long_before(told: Told) -> None:
    told.faults = [Fault("SIGKILL", 11, 100.0 - SLACK - 0.01)]


def same_claim_twice(told: Told) -> None:
    told.runs.insert(1, start(7, 11, 100.1))


def slow_recovery(told: Told) -> None:
    told.runs[1] = start(8, 12, 101.3)


def nothing_recovered(told: Told) -> None:
    told.runs.pop(0)


def end_untold(told: Told) -> None:
    told.events.pop()


def came_back_untold(told: Told) -> None:
    told.events.pop(0)
    told.job.pop("p:redelivered")


def attempt_charged(told: Told) -> None:
    told.job["p:attempt"] = "1"


def attempt_charged_to_an_overrun_that_was_none(told: Told) -> None:
    told.job |= {"p:attempt": "1", "p:reason": "TimeoutError: as told"}
    told.faults.append(Fault("overdue", 11, 100.2))


def stale_lease(told: Told) -> None:
    told.scan.leases.append("vm-1-abc")


def still_started(told: Told) -> None:
    told.job["status"], told.scan.places["a"] = "started", ["wip"]


def ghost_result(told: Told) -> None:
    told.scan.beside["rq:results:b"] = "b"


WRONG: dict[Callable[[Told], None], str] = {
    nothing_acked: "nothing was acknowledged",
    never_ended: "lost",
    completed_twice: "completed more than once",
    buried_too: "ended 2 times: finished, buried",
    completion_not_accepted: "vanished",
    no_fault: "for no reason",
    fault_of_another: "for no reason",
    fault_of_the_server: "for no reason",
    told_to_stop: "for no reason",
    fault_afterwards: "for no reason",
    fault_long_before: "for no reason",
    same_claim_twice: "for no reason",
    slow_recovery: "recovery took 1.10 s",
    nothing_recovered: "no recovery was timed",
    end_untold: "no event told of its end",
    came_back_untold: "came back 0 times",
    attempt_charged: "counts 1 attempts, 0 failed",
    attempt_charged_to_an_overrun_that_was_none: "counts 1 attempts, 0 failed",
    stale_lease: "stale lease",
    still_started: "nobody runs it",
    ghost_result: "ghost key",
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_what_is_wrong_is_red(wrong: Callable[[Told], None], tmp_path: Path) -> None:
    told = Told(tmp_path)
    wrong(told)
    assert WRONG[wrong] in " | ".join(told.judged().red)


def test_an_overrun_that_could_not_say_so_counts_as_an_attempt(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.overdue = [("a", 7)]
    attempt_charged(told)
    assert told.judged().red == []


@pytest.mark.parametrize(
    ("faults", "explained"),
    [
        ([("frozen", 100.0), ("frozen", 101.0), ("frozen", 102.0)], True),
        ([("SIGSTOP", 100.0), ("SIGCONT", 106.0)], True),
        ([("SIGSTOP", 100.0)], False),
        ([("frozen", 90.0), ("frozen", 100.0)], False),
        ([("frozen", 104.5), ("woken", 106.0)], False),
    ],
)
def test_a_stop_explains_what_begins_when_it_is_over(faults: list[tuple[str, float]], explained: bool) -> None:
    """The earlier claim begins last, within the slack after the stop's end, and the stop began before the other run."""
    woken = 106.2 if "SIG" in faults[0][0] or faults[-1][0] == "woken" else 102.2
    runs = [start(8, 12, 101.5 if woken < 106 else 104.0), start(7, 11, woken)]
    (again,) = runs_again(runs, [Fault(what, 11, at) for what, at in faults])
    assert (again.why is not None) == explained
    assert (again.before.token, again.after.token) == (7, 8)


def steps(text: str) -> list[Step]:
    """`start a0 1, end a0 1`: what, key and number, process; `9/5` is one that 9 started."""
    words = [line.split() for line in text.split(", ")]
    return [
        Step(what, place[0], int(place[1:]), f"job-{place}", int(pid.split("/")[-1]), int(f"0{pid}".split("/")[0]))
        for what, place, pid in words
    ]


@pytest.mark.parametrize(
    "right",
    [
        "start a0 1, end a0 1, start a1 2, end a1 2, start b0 1",
        "start a0 1, fail a0 1, start a0 2, end a0 2, start a1 1",
        "start a0 9, start a0 2, end a0 2, start a1 1",
        "start a0 9/5, start a0 2, end a0 2, start a1 1",
        "start a0 9, end a0 9, start a0 2, end a0 2, start a1 1",
        "start a0 1, end a0 1, start a1 9, start a2 1",
        "start a0 1, end a0 1, start a1 1, fail a1 1, start a2 1",
    ],
)
def test_an_order_of_a_key_that_is_right(right: str) -> None:
    assert list(out_of_order(steps(right), {9}, {"job-a1"})) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "start a1 1",
        "start a0 1, start a1 2",
        "start a0 1, start a0 2",
        "start a0 2/1, start a0 2",
        "start a0 9, start a1 2",
        "start a0 1, end a0 1, start a2 1",
        "start a0 1, end a0 1, start a1 1, end a1 1, start a0 1",
        "start a0 1, fail a0 1, start a1 1",
    ],
)
def test_an_order_of_a_key_that_is_wrong(wrong: str) -> None:
    assert len(list(out_of_order(steps(wrong), {9}, set()))) == 1


def test_a_key_whose_jobs_have_not_all_ended() -> None:
    ended = steps(", ".join(f"end k{n} 1" for n in range(EACH)))
    all_ended = [Step("end", "k0", one.number, one.job_id, 1, 0) for one in ended]
    assert list(unfinished(all_ended, 1, set())) == []
    assert list(unfinished(all_ended[:-1], 1, set())) == [f"key k0: [{EACH - 1}]"]
