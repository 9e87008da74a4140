"""Positive controls: where something is known to be wrong, this harness must say so.

Plain RQ 3.0 is struck in windows of its own, and our engine runs without its token check. A control is green where the
harness reported the very fault; `found` is what it reported.
"""

import json
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from tests.fault.ground import Ground
from tests.fault.trial import Trial
from tests.fault.unfenced import UNFENCED
from tests.fault.verdict import Verdict, ended, judge
from tests.integration.programs import Process

MODULE = "tests.fault.rq_program"
COUNT = 10
"""Jobs of each control on RQ."""
AT_ONCE = 4
"""Controls that run beside each other."""
PATIENCE = 20.0
CHANCE = 2.5
"""Seconds for which RQ may still mend what it can: as many rounds of its scheduler and its maintenance."""


def controls(ground: Ground) -> Iterator[Verdict]:
    """The harness reports what RQ loses and repeats, and what we would without the token check."""
    cases: list[Callable[[], Verdict]] = [
        partial(expect_lost, "control RQ dies dequeued", ground, "-w", f"{MODULE}.DiesDequeued"),
        partial(expect_lost, "control RQ dies recorded", ground, "-w", f"{MODULE}.DiesRecorded"),
        partial(expect_lost, "control RQ dies retrying", ground, "--queue-class", f"{MODULE}.DiesRetrying", fails=1),
        partial(reply_lost, ground),
        partial(zombie, ground),
        partial(pause, "control pause", ground),
        partial(unfenced_pause, ground),
    ]
    with ThreadPoolExecutor(AT_ONCE) as threads:  # they mostly wait
        yield from threads.map(lambda case: case(), cases)


def control(verdict: Verdict, reported: bool) -> Verdict:
    """The verdict on the harness, of its verdict on what is known to be wrong."""
    verdict.control, verdict.found = True, verdict.red
    verdict.red = [] if reported and verdict.found else ["the harness did not report what was broken"]
    return verdict


# RQ --------------------------------------------------------------------------------------------------------------


def expect_lost(case: str, ground: Ground, *struck: str, fails: int = 0) -> Verdict:
    """A worker dies in a window, others go on, and RQ's recovery has every chance: one job is lost for ever."""
    with Trial(case, ground.url, ground.seed, queues=2) as trial:
        victim = rq_worker(trial, *struck)
        rq_produce(trial, COUNT, args=[0.0, fails], retry=1 if fails else None)
        trial.wait(lambda: not victim.running, PATIENCE)
        rescuer = rq_worker(trial, "-w", "rq.SimpleWorker", "--with-scheduler")
        trial.wait(lambda: len(rq_ended(trial)) >= COUNT - 1, PATIENCE)
        rq_expire(trial)
        trial.wait(lambda: len(rq_ended(trial)) >= COUNT, CHANCE)
        verdict = rq_finish(trial, rescuer)
        lost = sorted(set(trial.history.all_acked()) - rq_ended(trial))
        stands = [f"{job_id} still stands in {key}" for job_id in lost for key in places(trial, job_id)]
        verdict.red += stands
        return control(verdict, verdict.lost == 1 and not stands)


def reply_lost(ground: Ground) -> Verdict:
    """The reply to an enqueue is lost and redis-py sends it again: the job runs twice."""
    with Trial("control RQ reply lost", ground.url, ground.seed) as trial:
        rq_produce(trial, COUNT, args=[0.0], lossy=True)
        worker = rq_worker(trial)
        trial.wait(lambda: len(rq_ended(trial)) >= COUNT and trial.at_rest(), PATIENCE)
        verdict = rq_finish(trial, worker)
        return control(verdict, (verdict.duplicate_runs, verdict.duplicate_completions) == (1, 1))


def zombie(ground: Ground) -> Verdict:
    """A worker is paused past its lease, another runs the job; then the first wakes: both completions are accepted."""
    with Trial("control RQ zombie", ground.url, ground.seed) as trial:
        sleeper = rq_worker(trial)
        rq_produce(trial, 1, args=[1.0], retry=0)
        trial.wait(trial.history.all_runs, PATIENCE)
        pids = [*trial.children(sleeper), sleeper.pid]
        for pid in pids:
            trial.send(pid, signal.SIGSTOP)
        rq_expire(trial)
        other = rq_worker(trial, "-w", "rq.SimpleWorker")
        trial.wait(lambda: rq_completions(trial), PATIENCE)
        for pid in pids:
            trial.send(pid, signal.SIGCONT)
        trial.wait(lambda: len(rq_completions(trial)) > 1, PATIENCE)
        verdict = rq_finish(trial, sleeper, other)
        return control(verdict, verdict.duplicate_completions == 1)


def rq_worker(trial: Trial, *options: str) -> Process:
    """Start `rq worker` on all queues."""
    command = ["-m", "rq.cli", "worker", "--url", trial.url, "-S", "json", "--maintenance-interval", "1"]
    return trial.start(*command, *options, *trial.queues)


def rq_produce(trial: Trial, count: int, *, lossy: bool = False, **options: Any) -> None:
    """Enqueue with RQ."""
    _rq(trial, "produce", {"count": count, "lossy": lossy, **options})


def rq_expire(trial: Trial) -> None:
    """Let RQ clean its registry of running jobs as it will when every lease that nobody renews has ended."""
    _rq(trial, "expire", {})


def _rq(trial: Trial, command: str, options: dict[str, Any]) -> None:
    said = json.dumps({"url": trial.url, "queues": trial.queues, **options})
    process = trial.start("-m", MODULE, command, said)
    if code := process.wait():
        raise RuntimeError(f"{command} ended with {code}: {process.log}")


def rq_ended(trial: Trial) -> set[str]:
    """Which jobs' handlers came to their end."""
    return ended(trial.history.all_runs(), ())


def rq_completions(trial: Trial) -> list[str]:
    """The job of each completion that RQ accepted: its results of type 1 (rq.results.Result.Type.SUCCESSFUL)."""
    client: Any = trial.client
    found = []
    for job_id in trial.history.all_acked():
        entries = client.xrange(trial.keys.results(job_id))
        found += [job_id for _, fields in entries if fields[b"type"] == b"1"]
    return found


def rq_finish(trial: Trial, *workers: Process) -> Verdict:
    """Stop RQ's workers and judge, by their results in the place of our events."""
    for worker in workers:
        worker.signal(signal.SIGTERM)
    for worker in workers:
        worker.wait()
    trial.recorder.stop()
    trial.history.event("finished", rq_completions(trial))
    return trial.judged(judge(trial.case, trial.seed, trial.history, None))


def places(trial: Trial, job_id: str) -> Iterator[str]:
    """The lists and sets of the namespace where the job's id stands, RQ's own included."""
    client: Any = trial.client
    for key in client.scan_iter(match=f"{trial.prefix}:*", count=1000):
        found = {b"list": client.lrange, b"zset": client.zrange}.get(client.type(key))
        if found and any(job_id in member.decode() for member in found(key, 0, -1)):
            yield key.decode()


# Ours ------------------------------------------------------------------------------------------------------------


def pause(case: str, ground: Ground, **environ: str) -> Verdict:
    """The same with our workers: a host is paused past its lease, another runs its jobs, then it goes on."""
    with Trial(case, ground.url, ground.seed, lease=1) as trial:
        first = trial.pool("-c", "4", **environ)
        other = trial.pool("-c", "4", **environ)
        trial.produce(8, "work", [2.0]).wait()
        trial.wait(lambda: sum(run.what == "start" for run in trial.history.all_runs()) >= 8, PATIENCE)
        paused = [first.pid, *trial.children(first)]
        for pid in paused:
            trial.send(pid, signal.SIGSTOP)
        trial.wait(lambda: len(trial.recorder.ended) >= 8, PATIENCE)
        for pid in paused:
            trial.send(pid, signal.SIGCONT)
        return trial.finish(first, other)


def unfenced_pause(ground: Ground) -> Verdict:
    """And without the token check, both completions are accepted."""
    verdict = pause("control pause without token check", ground, **{UNFENCED: "1"})
    return control(verdict, verdict.duplicate_completions > 0)
