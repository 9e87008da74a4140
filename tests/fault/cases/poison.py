"""Poison: jobs that are fatal to their process end as dead letters, and their neighbours pay nothing for it."""

import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

from postroom.jobs.failure import failures
from tests.fault.cgroup import make_group, put_in
from tests.fault.ground import Ground
from tests.fault.scan import Scan, scan
from tests.fault.trial import Trial
from tests.fault.verdict import Verdict, some
from tests.integration.programs import Process

THREE = r"poison: 3 processes died while they ran it, the last by "
OVERDUE = r"TimeoutError: the handler ran longer than its timeout of "
POISONS = {
    "segfault": THREE + r"signal 11 \(SIGSEGV\)",
    "leave": THREE + "exit code 7",
    "killed": THREE + r"signal 9 \(SIGKILL\)",
    "hold": OVERDUE + "1 s",
    "deaf": OVERDUE + r"\d+ s",
    "deaf_apart": OVERDUE + "2 s",
    "swell": THREE + r"signal 9 \(SIGKILL\)",
    "swell_in_bounds": "MemoryError",
}
"""Each poison with the reason of its dead letter."""
AT_ONCE = 3
"""Poisons that are tried beside each other."""
MEMORY = 600_000_000
"""Bytes of the cgroup, with which two worker processes and some isolated ones do."""
THREADS = 4
"""Of each worker process; one of them runs the poison."""
GRACE = 25.0
"""Seconds that a deploy gives running jobs (postroom.workers.worker)."""


def poison(ground: Ground) -> Iterator[Verdict]:
    """Each poison among neighbours; out of memory; a deploy while a job ignores it."""
    tasks = ("segfault", "leave", "killed", "hold", "deaf", "deaf_apart")
    cases: list[Callable[[], Verdict]] = [
        *([] if ground.short else [partial(deploy, ground, twice=False)]),
        *(partial(deploy, ground, twice=True), partial(out_of_memory, ground)),
        *(partial(among_neighbours, ground, task) for task in tasks),
    ]
    with ThreadPoolExecutor(AT_ONCE) as threads:  # they mostly wait
        yield from threads.map(lambda case: case(), cases)


def among_neighbours(ground: Ground, task: str, *, how: str = "", memory: bool = False) -> Verdict:
    """It is a dead letter in the end, and the others are not."""
    with trial_of(ground, f"poison {task}{how}") as trial:
        pool = trial.pool("-p", "2", "-c", str(THREADS))
        group = make_group(trial.prefix, MEMORY) if memory else None
        if group:
            put_in(group, [pool.pid, *trial.children(pool)])
        enqueue(trial, task, neighbours(ground))
        verdict = finish(trial, task, pool)
        if group:
            group.rmdir()
        return verdict


def out_of_memory(ground: Ground) -> Verdict:
    """In a cgroup where the machine allows one, else by a bound on the process's address space."""
    probe = make_group("pr-fault-probe", MEMORY)
    if probe is None:
        print("out of memory: no cgroup v2 can be made here, so RLIMIT_AS is used: a MemoryError", file=sys.stderr)
        return among_neighbours(ground, "swell_in_bounds", how=" (RLIMIT_AS)")
    probe.rmdir()
    return among_neighbours(ground, "swell", how=" (cgroup)", memory=True)


def deploy(ground: Ground, *, twice: bool) -> Verdict:
    """A job ignores TERM: the pool ends all the same, at the second TERM or after the grace, and gives the job back."""
    with trial_of(ground, f"poison deaf, deploy {'with two TERMs' if twice else 'with one TERM'}") as trial:
        first = trial.pool("-p", "2", "-c", str(THREADS))
        enqueue(trial, "deaf", neighbours(ground), timeout=2 if twice else int(GRACE) + 10)
        trial.wait(lambda: [run for run in trial.history.all_runs() if run.what == "fail"], 20)
        began = time.monotonic()
        children = trial.children(first)
        trial.send(first.pid, signal.SIGTERM)
        if twice:
            time.sleep(0.2)
            for pid in children:
                trial.history.fault("given-back", pid)
            first.signal(signal.SIGTERM)
        ended = trial.wait(lambda: not first.running, GRACE + 10)
        took = time.monotonic() - began
        for pid in children:
            trial.history.fault("given-back", pid)
        second = trial.pool("-p", "2", "-c", str(THREADS))
        verdict = finish(trial, "deaf", first, second, starts=2)
        if not ended or took > (5 if twice else GRACE + 5):
            verdict.red.append(f"the deploy took {took:.1f} s")
        return verdict


# Pieces ----------------------------------------------------------------------------------------------------------


def trial_of(ground: Ground, case: str) -> Trial:
    """With short times."""
    trial = Trial(case, ground.url, ground.seed, lease=2, hard_grace=1)
    trial.program = "tests.fault.poisons:app"
    return trial


def neighbours(ground: Ground) -> int:
    """How many."""
    return 200 if ground.short else 800


def enqueue(trial: Trial, task: str, count: int, timeout: int = 0) -> None:
    """The poison among its neighbours."""
    process = trial.start("-m", "tests.fault.poisons", task, str(count), str(timeout))
    if process.wait():
        raise RuntimeError(process.log)


def finish(trial: Trial, task: str, *pools: Process, starts: int = 0) -> Verdict:
    """The verdict, and what must hold besides."""
    trial.wait(trial.at_rest, 90)
    for pool in pools:
        write_kills(trial, pool)
    verdict = trial.finish(*pools, seconds=1)
    found = scan(trial.client, trial.prefix)
    by_itself = POISONS[task].startswith(THREE)
    verdict.red += wrong_letters(trial, found, task, starts or (3 if by_itself else 1))
    verdict.red += wrong_neighbours(trial, found, task, by_itself=by_itself)
    return verdict


def write_kills(trial: Trial, pool: Process) -> None:
    """The pool's own kills are faults, too: those past a hard deadline are told in its log."""
    pids = {name: int(pid) for pid, name in re.findall(r"\[(\d+)\] worker (\S+) takes", pool.log)}
    for at, name in re.findall(r"^(\S+ \S+) WARNING killing (\S+): past", pool.log, re.MULTILINE):
        moment = datetime.strptime(at, "%Y-%m-%d %H:%M:%S,%f").astimezone().timestamp()
        trial.history.fault("hard-deadline", pids[name], at=moment)


def wrong_letters(trial: Trial, found: Scan, task: str, starts: int) -> Iterator[str]:
    """The one dead letter is the poison, and says how it came to that."""
    letters = {job_id: fields for job_id, fields in found.hashes.items() if fields["status"] == "failed"}
    if [fields["data"].split(",")[0] for fields in letters.values()] != [f'["{task}"']:
        yield f"{len(letters)} dead letters, one of {task} expected"
    for job_id, fields in letters.items():
        if not re.match(POISONS[task], fields["p:reason"]):
            yield f"the dead letter's reason is {fields['p:reason']!r}"
        told = failures({name.encode(): text.encode() for name, text in fields.items()})
        deaths = [failure.death.how for failure in told if failure.death]
        if POISONS[task].startswith(THREE) and len([how for how in deaths if "signal" in how or "exit" in how]) != 3:
            yield f"its deaths are told as {deaths!r}"
        began = [run for run in trial.history.all_runs() if run.what == "start" and run.job_id == job_id]
        if len(began) != starts:
            yield f"it was started {len(began)} times, {starts} expected"


def wrong_neighbours(trial: Trial, found: Scan, task: str, *, by_itself: bool) -> Iterator[str]:
    """No neighbour lost an attempt. A death is charged only to who ran in a process that died by itself."""
    others = {job_id: fields for job_id, fields in found.hashes.items() if not fields["data"].startswith(f'["{task}"')}
    struck = {fault.pid for fault in trial.history.all_faults()} if by_itself else set()
    beside = {run.job_id for run in trial.history.all_runs() if run.pid in struck}
    yield from some("neighbours lost an attempt", [i for i, fields in others.items() if "p:attempt" in fields])
    charged = {i: fields["p:deaths"] for i, fields in others.items() if "p:deaths" in fields}
    # A thread may be between its pool's board and its handler's first word when its process dies: one job of each then,
    # and of one death only, for the poison runs alone afterwards. What was only claimed are many.
    unsaid = sorted(charged.keys() - beside)
    if len(unsaid) >= THREADS:
        yield from some("neighbours were charged with a death of others", unsaid)
    yield from some("neighbours were charged more than once", [i for i, deaths in charged.items() if int(deaths) > 1])
