"""The verdict on a case: its history, compared with what the server holds in the end."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from statistics import quantiles

from tests.fault.history import Event, Fault, History, Run
from tests.fault.recorder import ENDS
from tests.fault.scan import Scan

SLACK = 0.3
"""Seconds after a fault's last line for which its process may still begin a run. Who goes on after a stop begins what
it had in its hands, until its next claim tells it that it was given up: the consumer's sleep (0.25 s) and a round trip.
A stroke needs none: a line is written before it, and one after it; or it follows its line at once."""

GAP = 2.0
"""Seconds between two lines of one stop, at most: whoever watches it writes several times a second, when it is let."""

GOES_ON = {"SIGCONT", "woken", "mended"}
"""What ends a stop, however long ago its last line was."""

NO_FAULTS = {"SIGTERM", "late"}
"""What is written down among the faults, and takes no job from anybody."""


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
    """A run of an attempt that had run before: `before` under the lower token, `after` under the higher."""

    before: Run
    after: Run
    why: float | None
    """When the fault began that took it from the first process; None: there is none."""


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
    times = sorted(max(one.after.at - one.why, 0.0) for one in again if one.why is not None)
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
        *(some("vanished", sorted(set(acked) - found.hashes.keys() - found.gone)) if found else ()),
    ]
    if found and whole:
        verdict.red += some("counters", list(uneven(runs, events, found, set(history.all_overdue()))))
        verdict.red += some("not told of", list(untold(acked, events, again)))
    if not acked:
        verdict.red.append("nothing was acknowledged, so nothing was tried")
    if within is not None and not times:
        verdict.red.append("nothing ran again, so no recovery was timed")
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
    """Every run of an attempt that was claimed before, with the fault that explains it.

    In the order of their tokens, for that is the order of the claims: the earlier one was taken from its process, so
    the fault struck that process, or the one that started it, before the later run. By its clock the earlier may begin
    last, where its process stood still with it in its hands.
    """
    begun: dict[tuple[str, int], list[Run]] = defaultdict(list)
    for run in runs:
        if run.what == "start":
            begun[run.job_id, run.attempt].append(run)
    struck = spells(faults)
    for starts in begun.values():
        for before, after in pairwise(sorted(starts, key=lambda run: run.token)):
            causes = [
                begin
                for begin, end in (*struck.get(before.pid, ()), *struck.get(before.parent, ()))
                if begin <= after.at and before.at <= end + SLACK and before.token < after.token
            ]
            yield Again(before, after, min(causes, default=None))


def spells(faults: Sequence[Fault]) -> dict[int, list[tuple[float, float]]]:
    """By process, when faults held it: from their first line to their last. No process is held by the server's."""
    found: dict[int, list[tuple[float, float]]] = {}
    for fault in sorted(faults, key=lambda fault: fault.at):
        if fault.pid == 0 or fault.what in NO_FAULTS:
            continue
        spent = found.setdefault(fault.pid, [])
        if spent and (fault.what in GOES_ON or fault.at - spent[-1][1] <= GAP):
            spent[-1] = (spent[-1][0], fault.at)
        else:
            spent.append((fault.at, fault.at))
    return found


def untold(acked: Sequence[str], events: Sequence[Event], again: Sequence[Again]) -> Iterator[str]:
    """What must have been published and was not, or more than once."""
    ends: dict[str, list[str]] = defaultdict(list)
    for event in events:
        if event.what in ENDS:
            ends[event.job_id].append(event.what)
    for job_id in acked:
        if job_id not in ends:
            yield f"job {job_id}, and no event told of its end"
    for job_id, told in ends.items():
        if len(told) > 1:
            yield f"job {job_id} ended {len(told)} times: {', '.join(told)}"
    # A pool recovers what a dead process held, a process retries what its isolated one died of.
    back = Counter(one.job_id for one in events if one.what in {"recovered", "retried"})
    for job_id, count in Counter(one.before.job_id for one in again).items():
        if count > back[job_id]:
            yield f"job {job_id} ran again {count} times, and came back {back[job_id]} times"


def uneven(
    runs: Sequence[Run], events: Sequence[Event], found: Scan, overdue: Set[tuple[str, int]] = frozenset()
) -> Iterator[str]:
    """Where the server's counters differ from the history.

    Args:
        overdue: jobs and tokens whose process was killed for them.
    """
    told = {what: {one.job_id for one in events if one.what == what} for what in ("finished", "buried", "canceled")}
    told["canceled"] |= {one.job_id for one in events if one.what == "expired"}
    for what, status in (("finished", "finished"), ("buried", "failed"), ("canceled", "canceled")):
        stored = {job_id for job_id, fields in found.hashes.items() if fields.get("status") == status}
        if extra := stored - told[what]:
            yield f"{len(extra)} jobs are {status} and no event told so, e.g. {min(extra)}"
        if missing := told[what] - stored - found.gone:
            yield f"{len(missing)} jobs were {what} and are not {status}, e.g. {min(missing)}"
    recovered = Counter(one.job_id for one in events if one.what == "recovered")
    for job_id, fields in found.hashes.items():
        counted = int(fields.get("p:redelivered", 0))
        if counted != recovered[job_id]:
            yield f"job {job_id} counts {counted} redeliveries, {recovered[job_id]} were told"
    failed = {(run.job_id, run.token) for run in runs if run.what == "fail"} | overdue
    failures = Counter(job_id for job_id, _ in failed)
    for job_id, fields in found.hashes.items():
        # What was fatal to its processes never failed by its own word: its burial is the only attempt that counts.
        # What was stopped at its deadline may have been so before its handler's first line.
        fatal = fields.get("p:cause") in {"poison", "expired"}
        if int(fields.get("p:attempt", 0)) > failures[job_id] + fatal:
            yield f"job {job_id} counts {fields['p:attempt']} attempts, {failures[job_id]} failed"


def some(what: str, found: Sequence[str]) -> list[str]:
    """One line for any number of them."""
    return [f"{len(found)} {what}: {'; '.join(found[:3])}"] if found else []


def _told(one: Again) -> str:
    return (
        f"{one.before.job_id} attempt {one.before.attempt}: process {one.before.pid} at {one.before.at:.3f}, "
        f"{one.after.pid} at {one.after.at:.3f}"
    )
