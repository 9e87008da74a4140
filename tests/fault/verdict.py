"""The verdict on a case: its history, compared with what the server holds in the end."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from statistics import quantiles

from tests.fault.history import Event, Fault, History, Run
from tests.fault.recorder import ENDS
from tests.fault.scan import Scan

EARLY = 0.5
"""Seconds: a fault is on the disk before it strikes, which may take a moment."""

LATE = 1.0
"""Seconds for which a process that was stopped may begin what it had in its hands, when it goes on."""


@dataclass(slots=True)
class Verdict:
    """One line of the harness. Times are seconds, None where nothing was recovered."""

    case: str
    acked: int = 0
    lost: int = 0
    duplicate_completions: int = 0
    duplicate_runs: int = 0
    recover_p50: float | None = None
    recover_p99: float | None = None
    recover_max: float | None = None
    seed: int = 0
    seconds: float = 0.0
    exist: int = 0
    """Failpoints that there were to meet, and how many were met."""
    fired: int = 0
    earnest: int = 0
    """Of those, where the kind of fault can happen in earnest; 0 where all can."""
    red: list[str] = field(default_factory=list)
    """Why it is red; empty: green."""
    control: bool = False
    """Something is known to be wrong here; red where that was not reported."""
    found: list[str] = field(default_factory=list)
    """What a control reported."""

    def line(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Again:
    """A run of an attempt that had run before: from `before` to `after`, and the fault that explains it, if any."""

    before: Run
    after: Run
    why: Fault | None


def judge(
    case: str, seed: int, history: History, found: Scan | None, *, whole: bool = True, within: float | None = None
) -> Verdict:
    """Compare.

    Args:
        found: the server at rest; None where it tells nothing that we could compare (RQ's own workers).
        whole: no event can have been missed, so that numbers must be equal.
        within: seconds within which what a dead worker ran must run again.
    """
    acked, runs, faults = history.all_acked(), history.all_runs(), history.all_faults()
    events = history.all_events()
    again = list(runs_again(runs, faults))
    lost = sorted(set(acked) - ended(runs, events))
    times = sorted(one.after.at - one.why.at for one in again if one.why is not None)
    verdict = Verdict(
        case,
        acked=len(acked),
        lost=len(lost),
        duplicate_completions=sum(n - 1 for n in completions(events).values()),
        duplicate_runs=len(again),
        seed=seed,
    )
    if times:
        cuts = quantiles(times, n=100, method="inclusive") if len(times) > 1 else times * 99
        verdict.recover_p50, verdict.recover_p99 = round(cuts[49], 3), round(cuts[98], 3)
        verdict.recover_max = round(times[-1], 3)
    verdict.red = [
        *some("lost", lost),
        *some("completed more than once", [job for job, n in completions(events).items() if n > 1]),
        *some("ran again for no reason that was logged", [_told(one) for one in again if one.why is None]),
        *(some("misplaced", list(found.misplaced())) if found else ()),
        *(some("counters", list(uneven(acked, runs, events, found, faults))) if found and whole else ()),
    ]
    if within is not None and times and times[-1] > within:
        verdict.red.append(f"recovery took {times[-1]:.2f} s, {within:g} s at most")
    return verdict


def ended(runs: Sequence[Run], events: Sequence[Event]) -> set[str]:
    """The jobs that came to an end, by their handler's word or an event's."""
    return {run.job_id for run in runs if run.what == "end"} | {one.job_id for one in events if one.what in ENDS}


def completions(events: Sequence[Event]) -> Counter[str]:
    """How often the completion of each job was accepted."""
    return Counter(one.job_id for one in events if one.what == "finished")


def runs_again(runs: Sequence[Run], faults: Sequence[Fault]) -> Iterator[Again]:
    """Every run of an attempt that had begun before, with the fault that explains it: it struck the one process in
    between, or held up the other until it was too late.
    """
    begun: dict[tuple[str, int], list[Run]] = defaultdict(list)
    for run in runs:
        if run.what == "start":
            begun[run.job_id, run.attempt].append(run)
    by_pid: dict[int, list[Fault]] = defaultdict(list)
    for fault in faults:
        by_pid[fault.pid].append(fault)
    for starts in begun.values():
        for before, after in pairwise(sorted(starts, key=lambda run: run.at)):
            causes = [
                fault
                for fault in (*by_pid[before.pid], *by_pid[before.parent], *by_pid[0])
                if before.at - EARLY <= fault.at <= after.at + EARLY
            ]
            causes += [fault for fault in by_pid[after.pid] if after.at - LATE <= fault.at <= after.at + EARLY]
            yield Again(before, after, max(causes, key=lambda fault: fault.at) if causes else None)


def uneven(
    acked: Sequence[str], runs: Sequence[Run], events: Sequence[Event], found: Scan, faults: Sequence[Fault] = ()
) -> Iterator[str]:
    """Where the server's counters differ from the history."""
    told = {what: {one.job_id for one in events if one.what == what} for what in ("finished", "buried", "canceled")}
    for what, status in (("finished", "finished"), ("buried", "failed"), ("canceled", "canceled")):
        stored = {job_id for job_id, fields in found.hashes.items() if fields.get("status") == status}
        if extra := stored - told[what]:
            yield f"{len(extra)} jobs are {status} and no event told so, e.g. {min(extra)}"
        if missing := told[what] - stored - found.gone - _moved_on(events, what):
            yield f"{len(missing)} jobs were {what} and are not {status}, e.g. {min(missing)}"
    recovered = Counter(one.job_id for one in events if one.what == "recovered")
    for job_id, fields in found.hashes.items():
        counted = int(fields.get("p:redelivered", 0))
        if counted != recovered[job_id]:
            yield f"job {job_id} counts {counted} redeliveries, {recovered[job_id]} were told"
    failures = Counter(run.job_id for run in runs if run.what == "fail") + cut_short(runs, faults)
    overdue = any(fault.what == "overdue" for fault in faults)
    for job_id, fields in found.hashes.items():
        if overdue and fields.get("p:reason", "").startswith("TimeoutError"):
            continue  # stopped before its handler's first word
        if int(fields.get("p:attempt", 0)) > failures[job_id] + int(fields.get("p:deaths", 0)):
            yield f"job {job_id} counts {fields['p:attempt']} attempts, {failures[job_id]} failed"


def cut_short(runs: Sequence[Run], faults: Sequence[Fault]) -> Counter[str]:
    """Runs that a fault ended, by job: one that was past its hard deadline then has failed, and could not say so."""
    said = {(run.job_id, run.token) for run in runs if run.what != "start"}
    struck = {fault.pid for fault in faults}
    return Counter(
        run.job_id for run in runs if run.what == "start" and run.pid in struck and (run.job_id, run.token) not in said
    )


def some(what: str, found: Sequence[str]) -> list[str]:
    """One line for any number of them."""
    return [f"{len(found)} {what}: {'; '.join(found[:3])}"] if found else []


def _moved_on(events: Sequence[Event], what: str) -> set[str]:
    """Jobs with another end than `what`: canceled after they ended, or redriven."""
    return {one.job_id for one in events if one.what in ENDS - {what}}


def _told(one: Again) -> str:
    return (
        f"{one.before.job_id} attempt {one.before.attempt}: process {one.before.pid} at {one.before.at:.3f}, "
        f"{one.after.pid} at {one.after.at:.3f}"
    )
