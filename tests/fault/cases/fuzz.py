"""Fuzz: payloads that were made wrong, for every codec and for RQ's form, given to a real worker process.

It must not die of them, nor stand still, nor grow; and each must end: completed, where it is a call all the same, or
dead, undecodable; a name that was made another is an unknown task.
"""

import random
import signal
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from uuid import UUID

from postroom.jobs.codecs import CODECS, JSON, encode_call
from postroom.jobs.signature import Signature
from tests.fault import fuzz_program
from tests.fault.fuzz_program import Kind, Line, OldOrder, Order
from tests.fault.ground import Ground
from tests.fault.mutations import mutated
from tests.fault.trial import Trial
from tests.fault.verdict import Verdict
from tests.integration.programs import Process

PAGE = 1_000
"""Payloads that are written at once."""
PATIENCE = 60.0
"""Seconds that a page may take."""
GROWTH = 50_000_000
"""Bytes that the worker may grow by, at its highest, once it has seen a page."""
RQ = "rq"
"""The form of RQ's producers: JSON, compressed, without a content type."""
TASKS = {*fuzz_program.app.tasks}
KNOWN = {b"undecodable", b"unknown-task"}


def fuzz(ground: Ground) -> Iterator[Verdict]:
    """Each codec, and RQ's form; all of them together have the short form's number."""
    for codec in (*CODECS, RQ):
        yield one(ground, codec, ground.jobs // (len(CODECS) + 1) if ground.short else 2 * ground.jobs)


def one(ground: Ground, codec: str, jobs: int) -> Verdict:
    """So many payloads."""
    with Trial(f"fuzz {codec}", ground.url, ground.seed, failure_ttl=600, keep_finished=100) as trial:
        trial.program = "tests.fault.fuzz_program:app"
        pool = trial.pool("-p", "1", "-c", "4")
        (worker,) = trial.children(pool)
        verdict = Verdict(trial.case, seed=ground.seed)
        numbers, calls = count(), good(codec)
        payloads = [data for data, _ in calls]
        for schema in {schema for _, schema in calls if schema}:
            trial.client.hset(trial.keys.schemas(), *schema)
        warm = PAGE // 4 if ground.short else PAGE
        play(trial, verdict, codec, [mutated(trial.random, payloads) for _ in range(warm)], numbers)
        before = memory(worker, "VmRSS")
        while verdict.acked < jobs and not verdict.red:
            size = min(PAGE, jobs - verdict.acked)
            play(trial, verdict, codec, [mutated(trial.random, payloads) for _ in range(size)], numbers)
        if trial.children(pool) != [worker]:
            verdict.red.append("the worker process died")
        elif (grown := memory(worker, "VmHWM") - before) > GROWTH:
            verdict.red.append(f"the worker grew by {grown / 1e6:.0f} MB")
        verdict.red += stopped(pool)
        return trial.judged(verdict)


def play(trial: Trial, verdict: Verdict, codec: str, payloads: Sequence[bytes], numbers: "count[int]") -> None:
    """Have a page of payloads run, and see what became of each."""
    keys, (queue,) = trial.keys, trial.queues
    jobs = {f"f{next(numbers)}": data for data in payloads}
    with trial.client.pipeline(transaction=False) as pipe:
        for job_id, data in jobs.items():
            pipe.hset(keys.job(job_id), mapping=fields(trial.random, codec, data))
        pipe.rpush(keys.queue(queue), *jobs)
        pipe.execute()
    if not trial.wait(trial.at_rest, PATIENCE):
        verdict.red.append(f"{PATIENCE:g} s were not enough for {len(jobs):,} jobs: the worker stands still")
    with trial.client.pipeline(transaction=False) as pipe:
        for job_id in jobs:
            pipe.hmget(keys.job(job_id), "status", "p:cause", "p:task", "p:deaths", "p:reason")
        ends = pipe.execute()
    verdict.acked += len(jobs)
    for (job_id, data), (status, cause, task, deaths, reason) in zip(jobs.items(), ends, strict=True):
        wrong = cause == b"unknown-task" and task.decode() in TASKS
        if deaths or wrong or not (status == b"finished" or (status == b"failed" and cause in KNOWN)):
            verdict.lost += status != b"failed"
            verdict.red.append(f"{job_id} is {status!r}, {cause!r}, {reason!r}; its data: {data[:200]!r}")
    trial.client.delete(keys.failed(queue), keys.finished(queue), *map(keys.job, jobs))


def fields(dice: random.Random, codec: str, data: bytes) -> dict[str, bytes | str]:
    """Of a job's hash; some are of an older version of the message, and are brought up."""
    if codec == RQ:
        return {"data": data, "created_at": "2026-11-26T00:00:00Z"}
    old = {"p:messages": '{"fuzz.order":[1,1]}'} if dice.random() < 0.25 else {}
    return {"data": data, "p:type": codec, "created_at": "2026-11-26T00:00:00Z", **old}


def good(codec: str) -> list[tuple[bytes, tuple[str, str] | None]]:
    """Calls as they should be, each with the schema that it needs; some of an older version of the message."""
    line = Line("a", Decimal("1.10"))
    order = Order(UUID(int=7), datetime(2026, 11, 26, tzinfo=UTC), Kind.WEB, [line], b"\x00\xff", {"a": 1.5})
    old = OldOrder(order.id, order.placed, Kind.SHOP, line)
    name = f"typed.{'json' if codec == RQ else codec}"
    now, before = fuzz_program.app.tasks[name].signature, Signature.of(name, fuzz_program.typed_before)
    calls: list[tuple[Signature | None, str, list[object], dict[str, object]]] = [
        (now, name, [order], {}),
        (now, name, [order, order], {"pin": "hunter22", "more": 2**40}),
        (before, name, [old], {}),
    ]
    if CODECS.get(codec, JSON).of_task is None:
        calls.append((None, "untyped", [1, "text", None, [1.5, {"a": [True] * 40}]], {"key": "value" * 20}))
    found = []
    for signature, task, args, kwargs in calls:
        known = CODECS.get(codec, JSON)
        writer = known.of_task(task, signature) if known.of_task else known
        found.append((encode_call(task, args, kwargs, writer), writer.schema))
    return found + [(zlib.compress(data), None) for data, _ in found] if codec == RQ else found


def memory(pid: int, what: str) -> int:
    """Bytes of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"process {pid} tells no {what}")


def stopped(pool: Process) -> Iterator[str]:
    """It ends as it should."""
    pool.signal(signal.SIGTERM)
    if code := pool.wait(40):
        yield f"the pool ended with {code}"
