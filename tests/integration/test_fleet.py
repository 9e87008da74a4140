"""A fleet of workers and ten thousand jobs, of which many fail in every way there is: each is accounted for, with the
reason, and after the fix a redrive empties the dead letters.
"""

import json
import re
import signal
from collections import Counter
from typing import Any

import pytest

from postroom import Postroom
from postroom.jobs.failure import Failure, failures
from tests.integration.programs import Process, Program, until
from tests.integration.sentry_server import SentryServer

JOBS = """
import ctypes, os, resource, time
import sentry_sdk
from tenacity import stop_after_attempt, wait_fixed
from postroom import Discard, Postroom, Retry, current_job
from postroom.integrations.sentry import PostroomIntegration

# Longer than what fails in a moment: its own 100 events are fewer, and it drops what does not fit.
sentry_sdk.init(transport_queue_size=2_000, integrations=[PostroomIntegration()])  # SENTRY_DSN
app = Postroom()
mended = bool(os.environ.get("MENDED"))
thrice = Retry(stop=stop_after_attempt(3), wait=wait_fixed(0.2))

@app.task(queue="q")
def fine(n):
    return n

@app.task(queue="q", retry=thrice)
def flaky(n):
    if current_job.attempt < 3:
        raise ConnectionError(f"attempt {current_job.attempt}")
    return n

@app.task(queue="q")
def wrong(n):
    return n if mended else int(f"no number: {n}")

@app.task(queue="q", retry=thrice)
def offline(n):
    if not mended:
        raise ConnectionError("nobody there")
    return n

@app.task(queue="q")
def refused(n):
    if not mended:
        raise Discard("too old")
    return n

@app.task(queue="q", timeout=1)
def endless(n):
    while not mended:
        time.sleep(0.01)
    return n

@app.task(queue="q")
def fatal(n):
    if not mended:
        ctypes.string_at(0)
    return n

@app.task(queue="q", isolate=True)
def hungry(n):
    if not mended:
        resource.setrlimit(resource.RLIMIT_AS, (2_000_000_000, resource.RLIM_INFINITY))
        bytearray(4_000_000_000)
    return n

if mended:
    @app.task(name="new", queue="q")
    def new(n):
        return n
"""

COUNTS = {
    "fine": 8_500,
    "flaky": 300,
    "wrong": 700,
    "offline": 250,
    "refused": 100,
    "endless": 30,
    "fatal": 5,
    "hungry": 15,
    "new": 60,
    "broken": 40,
}
DEAD = {
    "wrong": ("not-retryable", r"ValueError: invalid literal for int\(\) with base 10: 'no number: \d+'", 1),
    "offline": ("exhausted", r"ConnectionError: nobody there", 3),
    "refused": ("discarded", r"Discard: too old", 1),
    "endless": ("not-retryable", r"TimeoutError: the handler ran longer than its timeout of 1 s", 1),
    "fatal": ("poison", r"poison: 3 processes died while they ran it", 3),
    "hungry": ("not-retryable", r"MemoryError", 1),
    "new": ("unknown-task", r"no task 'new' in this app", 1),
    "broken": ("undecodable", r"data is not JSON: ", 1),
}
"""For each task that fails: the cause, the reason, and how many of its executions are kept."""


@pytest.fixture
def fleet(program: Program) -> Program:
    """A folder with the jobs."""
    program.write("jobs.py", JOBS)
    return program


def work(fleet: Program, **environ: str) -> list[Process]:
    """Two pools of two worker processes."""
    arguments = ("-m", "postroom", "worker", "jobs:app", "-p", "2")
    return [fleet.start(*arguments, POSTROOM_CODE_VERSION="v1", **environ) for _ in range(2)]


def enqueue(app: Postroom, client: Any, counts: dict[str, int]) -> dict[str, str]:
    """So many jobs of each task; their ids with their tasks."""
    ids: dict[str, str] = {}
    for task, count in counts.items():
        name = task if task in {"new"} else f"jobs.{'fine' if task == 'broken' else task}"
        ids |= dict.fromkeys(app.using(name, queue="q").enqueue_many([(n,) for n in range(count)]), task)
    with client.pipeline() as pipe:
        for job_id in (job_id for job_id, task in ids.items() if task == "broken"):
            pipe.hset(f"rq:job:{job_id}", "data", "{not JSON")
        pipe.execute()
    return ids


def statuses(client: Any, ids: dict[str, str]) -> Counter[tuple[str, str]]:
    """How many jobs of each task have which status."""
    with client.pipeline() as pipe:
        for job_id in ids:
            pipe.hget(f"rq:job:{job_id}", "status")
        return Counter((task, status.decode()) for task, status in zip(ids.values(), pipe.execute(), strict=True))


def ended(client: Any, ids: dict[str, str]) -> bool:
    """Nothing waits or runs any more."""
    return {status for _, status in statuses(client, ids)} <= {"finished", "failed"}


def postroom(fleet: Program, *arguments: str) -> str:
    """The command; what it printed."""
    done = fleet.run("-m", "postroom", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_job_is_accounted_for_and_a_redrive_after_the_fix_empties_the_dead_letters(
    fleet: Program, app: Postroom, client: Any, sentry: SentryServer
) -> None:
    first = {**COUNTS, "fine": COUNTS["fine"] - 500, "fatal": 0}
    ids = enqueue(app, client, first)
    pools = work(fleet, SENTRY_DSN=sentry.dsn)
    # What a process that dies has not sent to Sentry yet dies with it: those that kill come when the rest is there.
    until(lambda: len(sentry.of("event")) >= sum(first[task] for task in DEAD), 90)
    ids |= enqueue(app, client, {"fatal": COUNTS["fatal"], "fine": 500})
    assert len(ids) == 10_000
    until(lambda: ended(client, ids), 90)
    assert statuses(client, ids) == {
        (task, "failed" if task in DEAD else "finished"): count for task, count in COUNTS.items()
    }
    for job_id, task in ids.items():
        if task in DEAD:
            told(client.hgetall(f"rq:job:{job_id}"), *DEAD[task])
    listed = postroom(fleet, "dead", "list", "--group-by", "cause", "--json")
    groups = [json.loads(line) for line in listed.splitlines()]
    assert sum(group["count"] for group in groups) == sum(COUNTS[task] for task in DEAD)
    stop(pools)
    reported(sentry, ids)

    pools = work(fleet, MENDED="1", SENTRY_DSN=sentry.dsn)
    mend_payloads(fleet)
    postroom(fleet, "dead", "redrive", "--all", "--yes")
    until(lambda: ended(client, ids), 90)
    assert statuses(client, ids) == {(task, "finished"): count for task, count in COUNTS.items()}
    assert client.zcard("rq:failed:q") == 0
    stop(pools)
    reported(sentry, ids)  # and nothing since


def told(stored: dict[bytes, bytes], cause: str, reason: str, executions: int) -> None:
    """A dead letter says why, and each of its executions has its evidence."""
    fields = {name.decode(): value.decode() for name, value in stored.items()}
    assert fields["p:cause"] == cause, fields
    assert re.match(reason, fields["p:reason"]), fields["p:reason"]
    kept = failures(stored)
    # A neighbour of a fatal job may have lost an execution to it.
    assert len([failure for failure in kept if bool(failure.death) == (cause == "poison")]) == executions, kept
    assert {(failure.version, bool(failure.worker), bool(failure.host)) for failure in kept} == {("v1", True, True)}
    if cause == "poison":
        assert [how(failure) for failure in kept] == ["signal 11 (SIGSEGV)"] * 3
        assert "string_at" in (kept[-1].death.stack if kept[-1].death else "")


def reported(sentry: SentryServer, ids: dict[str, str]) -> None:
    """Sentry has one event of each dead letter, with its tags, and no other."""
    assert not [event for event in sentry.of("event") if "tags" not in event]
    tags = [event["tags"] for event in sentry.of("event")]
    events = Counter((ids[found["job_id"]], found["cause"], found["attempt"]) for found in tags)
    # A process's death is none of the attempts, which its handler has used up.
    attempts = {task: 1 if task == "fatal" else executions for task, (_, _, executions) in DEAD.items()}
    assert events == {(task, DEAD[task][0], str(attempts[task])): COUNTS[task] for task in DEAD}
    assert len({found["job_id"] for found in tags}) == len(tags)


def how(failure: Failure) -> str:
    """How its process died."""
    return failure.death.how if failure.death else ""


def mend_payloads(fleet: Program) -> None:
    """Export what cannot be decoded, mend it, and import it in the place of the broken ones."""
    postroom(fleet, "dead", "export", "--cause", "undecodable", "-o", "dead.jsonl")
    lines = (fleet.folder / "dead.jsonl").read_text().splitlines()
    mended = [line.replace("{not JSON", '[\\"jobs.fine\\", null, [1], {}]') for line in lines]
    fleet.write("mended.jsonl", "\n".join(mended))
    postroom(fleet, "dead", "import", "mended.jsonl", "--replace", "--yes")


def stop(pools: list[Process]) -> None:
    """End the fleet, as a deploy does."""
    for pool in pools:
        pool.signal(signal.SIGTERM)
    assert [pool.wait() for pool in pools] == [0] * len(pools)
