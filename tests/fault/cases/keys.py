"""Order per key while worker processes are killed: one job of a key at a time, in order of enqueue."""

import signal
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set

from tests.fault.cases.controls import control
from tests.fault.cases.storm import LEASE_OVER
from tests.fault.ground import Ground
from tests.fault.history import Step
from tests.fault.trial import Trial
from tests.fault.unfenced import UNLOCKED
from tests.fault.verdict import Verdict, some

EVERY = 0.4
"""Seconds between two kills."""
JOBS = 200
"""For so many there is one kill: on a machine that is busy otherwise, a process might never get further."""
OUT_OF_ORDER = "out of order"
NOTHING: Mapping[str, str] = {}
LONGEST = 300.0
"""Seconds for which a producer may go on when there are no more kills."""
EACH = 10
"""Jobs of each key."""
POOL = ("-p", "2", "-c", "4")
"""Of two, which are two hosts: four worker processes."""


def keys(ground: Ground) -> Iterator[Verdict]:
    """kill -9 of a random worker process again and again, while jobs of many keys are retried and put off; of a host;
    and with the lock of the keys taken out of the script, which must be seen.
    """
    for seed in range(ground.seed, ground.seed + (1 if ground.short else 3)):
        yield killed("keys", ground, seed)
    if not ground.short:
        yield killed("keys: host lost", ground, ground.seed, lose_host=True)
    verdict = killed("keys: control without lock", ground, ground.seed, environ={UNLOCKED: "1"})
    yield control(verdict, any(OUT_OF_ORDER in reason for reason in verdict.red))


def killed(
    case: str, ground: Ground, seed: int, *, lose_host: bool = False, environ: Mapping[str, str] = NOTHING
) -> Verdict:
    """One trial."""
    count = max(4, ground.jobs // 4 // EACH)
    with Trial(case, ground.url, seed, queues=2) as trial:
        pools = [trial.pool(*POOL, **environ) for _ in range(2)]
        said = (str(count), str(EACH), ",".join(trial.queues), f"{case} {seed}")
        producer = trial.start("-m", "tests.fault.keyed_producer", *said, **environ)
        kills = 0
        while pools[0].running and (producer.running or not trial.at_rest()):
            time.sleep(EVERY)
            if lose_host:
                if any(step.parent == pools[0].pid for step in trial.history.all_steps()):
                    trial.kill_all(pools[0])
            elif kills < ground.jobs / JOBS and (children := [one for pool in pools for one in trial.children(pool)]):
                trial.send(trial.random.choice(children), signal.SIGKILL)
                kills += 1
        trial.wait(lambda: not producer.running, LONGEST)
        verdict = trial.finish(*pools, within=LEASE_OVER if lose_host else None)
        steps = trial.history.all_steps()
        dead = {event.job_id for event in trial.history.all_events() if event.what == "buried"}
        killed_pids = {fault.pid for fault in trial.history.all_faults() if fault.what == "SIGKILL"}
        verdict.red += some(OUT_OF_ORDER, list(out_of_order(steps, killed_pids, dead)))
        verdict.red += some("never ended", list(unfinished(steps, count, dead)))
        if producer.wait() or verdict.acked != count * EACH:
            verdict.red.append(f"{verdict.acked} of {count * EACH} jobs were acknowledged: {producer.log[-200:]!r}")
        if not verdict.duplicate_runs:
            verdict.red.append(f"none of {kills or 'the'} kills struck a job")
        return verdict


def out_of_order(steps: Sequence[Step], killed: Set[int], dead: Set[str]) -> Iterator[str]:
    """Each start of a job that was not its key's turn, by the lines of the handlers alone.

    Args:
        killed: the processes that were killed: what one of them began is over without a line.
        dead: jobs that became dead letters.
    """
    last: dict[str, Step] = {}
    for step in steps:
        before = last.get(step.key)
        last[step.key] = step
        if step.what != "start":
            continue
        if before is None:
            right = step.number == 0
        else:
            # Whose end was not accepted runs again; whose end is missing runs again, until it is a dead letter.
            over = before.what == "end" or before.job_id in dead
            let_go = before.what != "start" or not killed.isdisjoint({before.pid, before.parent})
            right = let_go and step.number in {before.number, before.number + over}
        if not right:
            yield f"key {step.key}: {before} and then {step}"


def unfinished(steps: Sequence[Step], keys: int, dead: Set[str]) -> Iterator[str]:
    """Jobs that have not ended, by the lines of the handlers, and are no dead letters."""
    ended = defaultdict(set)
    for step in steps:
        if step.what == "end" or step.job_id in dead:
            ended[step.key].add(step.number)
    for key in range(keys):
        if missing := set(range(EACH)) - ended[f"k{key}"]:
            yield f"key k{key}: {sorted(missing)}"
