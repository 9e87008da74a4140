"""Failpoints: kill, stop or cut off at every transition and between any two of them.

Which there are is not written by hand: an undisturbed run of the scenario records what each role sends.
"""

import random
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from postroom.jobs import calls
from postroom.jobs.broker import Broker
from postroom.jobs.messages import Placement, batch_of_one
from postroom.jobs.options import Options
from postroom.jobs.scripts import SCRIPTS
from tests.fault.failpoint import ACTIONS, RECORD, SENT, WHENS, Failpoint
from tests.fault.ground import Ground
from tests.fault.manager import Manager
from tests.fault.trial import Trial
from tests.fault.verdict import Verdict

AT_ONCE = {"kill": 7, "raise": 7, "stop": 10}
"""Trials that run at the same time: they mostly sleep, the most where somebody is stopped."""
SHORT = {"lease": 2, "hard_grace": 0.3, "timeout": 3}
"""Settings of the matrix."""
SAMPLE = 20
"""Failpoints of the short form."""
DEFAULT_LEASE = ("worker:claim:after:kill", "worker:complete:before:kill", "worker:complete:before:stop")
"""The three cases with the settings that users have."""
DESK = {"sift", "redrive", "purge", "import", "undo"}
"""What a person sends who looks after dead letters, one call at a time: who is killed there is like one whose call or
reply is lost, and `replies` loses each.
"""
ASIDE = {"listen", "pause", "progress", "tick", "declare", "alter", "log"}
"""What moves no job that there is: who listens; pauses; what handlers say; schedules, whose case is `cron`."""
OURS = {("worker", "TIME")}
"""What a handler of ours asks, which may be canceled before it begins."""
POOL = ("-p", "1", "-c", "4")


def points(ground: Ground) -> Iterator[Verdict]:
    """The whole matrix, one verdict for each number of queues and each action; or a sample of it."""
    with Trial("points", ground.url, ground.seed) as trial:
        for script in SCRIPTS.values():
            trial.client.script_load(script.source)  # once for all: a first sending would only find it unknown
    for queues in (1,) if ground.short else (1, 3):
        sent, recorded = record(ground, queues)
        yield recorded
        actions = ACTIONS[:1] if ground.short else ACTIONS
        for action in actions:
            made = made_of(sent, [action])
            if ground.short:
                made = random.Random(ground.seed).sample(made, min(SAMPLE, len(made)))  # noqa: S311
            yield from together(f"points: {action}, queues: {queues}", ground, queues, made, matrix)
    if not ground.short:
        yield from together("points: default lease", ground, 1, [*map(Failpoint.parse, DEFAULT_LEASE)], default_lease)


def made_of(sent: Collection[tuple[str, str]], actions: Sequence[str] = ACTIONS) -> list[Failpoint]:
    """Every failpoint of what was sent."""
    return [Failpoint(*pair, when, action) for pair in sorted(sent) for when in WHENS for action in actions]


def unsent(sent: Collection[tuple[str, str]]) -> list[str]:
    """The scripts of a job's life that nobody sent."""
    return sorted(set(SCRIPTS) - DESK - ASIDE - {name for _, name in sent})


def record(ground: Ground, queues: int) -> tuple[set[tuple[str, str]], Verdict]:
    """The scenario undisturbed: the pairs of role and name that are sent; red where a script is not among them."""
    with Trial("points: undisturbed", ground.url, ground.seed, queues=queues, **SHORT) as trial:
        verdict = played(trial, RECORD)
        lines = (trial.history.folder / SENT).read_text().splitlines()
    sent = {(role, name) for role, _, name in (line.partition(" ") for line in lines)} - OURS
    verdict.case += f", queues: {queues}"
    verdict.red += [f"the scenario never sends {name}" for name in unsent(sent)]
    return sent, verdict


def matrix(ground: Ground, queues: int, point: Failpoint) -> Verdict:
    """One failpoint on the whole scenario, with a short lease."""
    with Trial(f"points: {point}, queues: {queues}", ground.url, ground.seed, queues=queues, **SHORT) as trial:
        return played(trial, str(point))


def default_lease(ground: Ground, queues: int, point: Failpoint) -> Verdict:
    """One failpoint with all settings as users have them."""
    with Trial(f"points: {point}, default lease", ground.url, ground.seed, queues=queues) as trial:
        # One job where somebody is stopped: another one that runs would keep the lease until its hard deadline.
        count = "1" if point.action == "stop" else "40"
        verdict = played(trial, str(point), ("-m", "tests.fault.producer", "work", count, "1", "q0", "[0.01]"))
        if point.action == "stop" and "was not accepted" not in trial.logs:
            verdict.red.append("the late word was not refused")
        return verdict


def played(trial: Trial, said: str, producer: tuple[str, ...] = ()) -> Verdict:
    """The scenario, or another producer, with the failpoint `said`."""
    if not producer:
        lose_process(trial)
        producer = ("-m", "tests.fault.scenario", ",".join(trial.queues))
    manager = Manager(trial, said, producer, POOL)
    settle(trial, manager)
    manager.finishing = True
    verdict = trial.finish(*manager.pools)
    manager.close()
    if manager.producer.running or manager.producer.wait() != 0:
        verdict.red.append(f"the producer has not done: {manager.producer.log[-200:]!r}")
    verdict.exist, verdict.fired = int(said != RECORD), int(manager.fired)
    if not manager.fired and said != RECORD:
        verdict.red.append("it did not fire")
    return verdict


def settle(trial: Trial, manager: Manager) -> None:
    """Until all is at rest and the duties have had their first rounds: a pool that dies in one of them is started
    again, and that one must come to rest, too.
    """
    pools = 0
    while pools < len(manager.pools):
        pools = len(manager.pools)
        trial.wait(lambda: trial.at_rest() and manager.quiet, 60)
        trial.wait(lambda: all(" takes " in pool.log for pool in manager.pools if pool.running), 20)
        time.sleep(0.5)
        trial.wait(lambda: manager.pools[-1].running, 1)


def lose_process(trial: Trial) -> None:
    """A process of another host claims a job and is never heard of again."""
    broker, queue, keys = Broker(trial.url, trial.keys, 5.0), trial.queues[-1], trial.keys
    broker.run(calls.sweep(keys, 1.0))  # somebody has looked lately: a first look would judge nobody
    one = batch_of_one("work", (), {}, Options(queue=queue), 1000)
    trial.history.acked(*broker.run(calls.enqueue(keys, queue, one, Placement("back"))))
    broker.run(calls.join(keys, "lost-0-0", 0.5, {queue: 0}))
    broker.run(calls.claim(keys, queue, "lost-0-0", 1, 1, 0.5))
    broker.close()


Case = Callable[[Ground, int, Failpoint], Verdict]


def together(name: str, ground: Ground, queues: int, made: Sequence[Failpoint], case: Case) -> Iterator[Verdict]:
    """Some at a time; the red ones, then one verdict that sums up all."""
    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE[made[-1].action]) as executor:
        found = list(executor.map(lambda point: case(ground, queues, point), made))
    yield from (verdict for verdict in found if verdict.red)
    yield summed(name, ground.seed, found, time.monotonic() - began)


def summed(name: str, seed: int, found: Sequence[Verdict], seconds: float) -> Verdict:
    """The sum of many verdicts; red where a failpoint did not fire."""
    times = [verdict.recover_max for verdict in found if verdict.recover_max is not None]
    total = Verdict(name, seed=seed, seconds=round(seconds, 1), recover_max=max(times, default=None))
    for field in ("acked", "lost", "duplicate_completions", "duplicate_runs", "exist", "fired"):
        setattr(total, field, sum(getattr(verdict, field) for verdict in found))
    if total.fired < total.exist:
        total.red.append(f"{total.exist - total.fired} of {total.exist} failpoints did not fire")
    if count := sum(bool(verdict.red) for verdict in found):
        total.red.append(f"{count} of {len(found)} are red")
    return total
