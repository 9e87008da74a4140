"""What happens every day: deploys, and slow jobs among fast ones."""

import signal
from collections.abc import Iterator

from tests.fault.ground import Ground
from tests.fault.trial import Trial
from tests.fault.verdict import Verdict


def deploy(ground: Ground) -> Iterator[Verdict]:
    """Pools get TERM under load and others start in their place: nothing is lost, nothing runs twice."""
    with Trial("deploy", ground.url, ground.seed, queues=3) as trial:
        pool = trial.pool("-p", "2", "-c", "4")
        for _ in range(2 if ground.short else 10):
            trial.produce(200, "work", [0.05])
            successor = trial.pool("-p", "2", "-c", "4")
            pool.signal(signal.SIGTERM)
            if pool.wait(30):
                raise RuntimeError(f"a pool that was told to stop ended with {pool.wait()}:\n{pool.log}")
            pool = successor
        verdict = trial.finish(pool)
        if verdict.duplicate_runs:
            verdict.red.append(f"a deploy cost {verdict.duplicate_runs} runs")
        yield verdict


def slow_first(ground: Ground) -> Iterator[Verdict]:
    """A slow job is the first of a batch of 64: those behind it are given back, and others run them meanwhile."""
    with Trial("slow first", ground.url, ground.seed) as trial:
        trial.produce(2_000, "work", batch=500).wait()
        trial.produce(1, "work", [3.0]).wait()
        trial.produce(63, "work", batch=63).wait()
        verdict = trial.finish(trial.pool("-p", "2", "-c", "1"))
        slow, *fast = trial.history.all_acked()[2_000:]
        ends = {run.job_id: run.at for run in trial.history.all_runs() if run.what == "end"}
        late = [job_id for job_id in fast if ends.get(job_id, 0.0) > ends.get(slow, 0.0) - 1.0]
        if late:
            verdict.red.append(f"{len(late)} of 63 jobs waited behind the slow one")
        if verdict.duplicate_runs:
            verdict.red.append(f"{verdict.duplicate_runs} jobs ran twice")
        yield verdict
