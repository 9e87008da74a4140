"""`postroom why` on real workers: what it says is what is so."""

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import redis
from rq import Queue, SimpleWorker, Worker

from postroom import Job, Postroom
from postroom.jobs import calls
from postroom.jobs.times import rq_time
from postroom.monitor import look
from postroom.monitor.dead import DeadLetters
from postroom.monitor.facts import JobFacts, QueueFacts
from postroom.monitor.look import look_at_job, look_at_queue
from postroom.monitor.why import Answer, why_job, why_queue
from tests.integration.programs import Program, until

JOBS = """
import ctypes, time
from pathlib import Path
from tenacity import wait_fixed
from postroom import Postroom, Retry

app = Postroom()

@app.task(queue="q")
def work(n):
    return n

@app.task(queue="q")
def hold():
    while not Path("go").exists():
        time.sleep(0.01)

@app.task(queue="q", retry=Retry(wait=wait_fixed(60)))
def fail():
    raise ConnectionError("no line")

@app.task(queue="q", retry=None)
def fail_for_good():
    raise ConnectionError("no line")

@app.task(queue="q")
def crash():
    ctypes.string_at(0)
"""
QUICK = {"POSTROOM_LEASE": "1"}


@pytest.fixture
def shop(program: Program) -> Program:
    """A user's `jobs.py`."""
    program.write("jobs.py", JOBS)
    return program


def enqueue(app: Postroom, task: str, *args: object, **options: Any) -> Job[Any]:
    return app.enqueue(f"jobs.{task}", *args, **{"queue": "q", **options})


def why(app: Postroom, job: Job[Any] | str) -> Answer:
    return why_job(facts(app, job))


def facts(app: Postroom, job: Job[Any] | str) -> JobFacts:
    return look_at_job(app.broker, job if isinstance(job, str) else job.id)


def why_of_queue(app: Postroom, name: str) -> Answer:
    return why_queue(queue_facts(app, name))


def queue_facts(app: Postroom, name: str) -> QueueFacts:
    found = look_at_queue(app.broker, name)
    assert found is not None
    return found


def becomes(app: Postroom, job: Job[Any], state: str) -> str:
    """What is said once the job is in this state."""
    return str(until(lambda: (answer := why(app, job)).state == state and answer.sentence))


def release(shop: Program) -> None:
    """Let `hold` end."""
    (shop.folder / "go").touch()


def worker_of(client: Any, job: Job[Any]) -> str:
    """The name of the worker that claimed it last."""
    return str(client.hget(f"rq:job:{job.id}", "worker_name").decode())


def test_nobody_takes_it(shop: Program, app: Postroom) -> None:
    job = enqueue(app, "work", 1, queue="other")
    nobody = f"Job {job.id} waits: no live worker takes queue other: "
    assert why(app, job) == Answer("no-worker", f"{nobody}none is alive at all.")
    worker = shop.worker("jobs:app")
    assert why(app, job) == Answer("no-worker", f"{nobody}live workers take q.")
    of_queue = r"Queue other: 1 job waits, the oldest for .*s; no live worker takes queue other: live workers take q\."
    assert re.fullmatch(of_queue, why_of_queue(app, "other").sentence)
    worker.signal(signal.SIGTERM)
    worker.wait()
    assert why(app, job).sentence == f"{nobody}none is alive at all."


def test_its_queue_is_paused(shop: Program, app: Postroom) -> None:
    shop.worker("jobs:app")
    app.queue("q").pause()
    job = enqueue(app, "work", 1)
    assert why(app, job) == Answer("paused", f"Job {job.id} waits: queue q is paused.")
    assert why_of_queue(app, "q").state == "paused"
    app.queue("q").resume()
    sentence = becomes(app, job, "finished")
    assert re.fullmatch(rf"Job {job.id} finished \d+ m?s ago in \d+ ms; it is kept for 8 m more\.", sentence)


def test_it_runs_and_others_wait_in_line(shop: Program, app: Postroom, client: Any) -> None:
    shop.worker("jobs:app", "-c", "1", **QUICK)
    first = enqueue(app, "hold")
    said = becomes(app, first, "running")
    assert re.fullmatch(rf"Job {first.id} has run on worker {worker_of(client, first)} for .*s \(attempt 1\)\.", said)
    waiting = [enqueue(app, "work", n) for n in range(3)]
    unknown = enqueue(app, "no_such_task")

    def settled() -> bool:  # what waits behind a slow job is given back
        return [facts(app, job).ahead for job in waiting] == [0, 1, 2]

    until(settled)
    assert why(app, waiting[0]) == Answer("in-line", f"Job {waiting[0].id} is next in line on queue q.")
    assert why(app, waiting[1]).sentence.startswith(
        f"Job {waiting[1].id} is 2nd in line on queue q; how long is unknown"
    )
    assert why(app, unknown) == Answer(
        "unknown-task",
        f"Job {unknown.id} waits: the only live worker on queue q does not know its task jobs.no_such_task: "
        "whoever claims it puts it off.",
    )
    said = why_of_queue(app, "q").sentence
    assert re.fullmatch(r"Queue q: 4 jobs wait, the oldest for .*; 1 worker takes it, running 1 of 1 place\.", said)
    release(shop)
    said = becomes(app, unknown, "failed")
    assert "; unknown-task: no task 'jobs.no_such_task' in this app" in said
    assert said.endswith("; it will be forgotten in 365 d.")


# Of each job that ended: when it began and ended, in seconds ago.
STEADY = [(ago + 1.0, float(ago)) for ago in range(20)]
SINCE = [(ago / 2 + 0.5, ago / 2) for ago in range(12)]
BEFORE = [(40.0 + ago / 10, 40.0 + ago / 10) for ago in range(1, 101)]


@pytest.mark.parametrize(
    ("ended", "waited", "pace"),
    [
        (STEADY, 60.0, 20 / 20),
        ([*SINCE, *BEFORE], 7.0, 12 / 6),
        ([*SINCE[:9], *BEFORE], 7.0, 109 / 50),
        ([(63.0, 62.0)], 7.0, 0),
    ],
    ids=["all that ended", "while it waited", "too few while it waited", "long ago"],
)
def test_the_pace_is_that_of_jobs_that_ended(
    ended: list[tuple[float, float]], waited: float, pace: float, app: Postroom, client: Any
) -> None:
    app.broker.run(calls.join(app.keys, "w1", 12, {}))
    app.broker.run(calls.announce(app.keys, "w1", ["q"], {"p:threads": 1}, "d", [], 60))
    ids = list(app.using("jobs.work", queue="q").enqueue_many([(n,) for n in range(20)]))
    now = time.time()
    client.hset(f"rq:job:{ids[-1]}", "enqueued_at", rq_time(now - waited))
    for n, (began, end) in enumerate(ended):
        client.hset(f"rq:job:e{n}", mapping={"started_at": rq_time(now - began), "ended_at": rq_time(now - end)})
        client.zadd("rq:finished:q", {f"e{n}": now - end + 500})
    found = facts(app, ids[-1])
    assert found.ahead == 19
    assert found.pace == pytest.approx(pace, rel=0.2)
    if pace:
        assert re.fullmatch(rf"Job {ids[-1]} is 20th in line on queue q, about [\d.]+ s\.", why_job(found).sentence)


@pytest.mark.parametrize(("moved", "told"), [(3, True), (2, False)])
def test_the_pace_of_what_leaves_no_record(
    moved: int, told: bool, app: Postroom, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.broker.run(calls.join(app.keys, "w1", 12, {}))
    app.broker.run(calls.announce(app.keys, "w1", ["q"], {"p:threads": 1}, "d", [], 60))
    ids = list(app.using("jobs.work", queue="q").enqueue_many([(n,) for n in range(20)]))
    # The worker takes so many jobs between the two looks; by two jobs for its thread, nothing is proven.
    monkeypatch.setattr(time, "sleep", lambda _: client.lpop("rq:queue:q", moved))
    found = facts(app, ids[-1])
    assert (found.ahead, found.pace > 0) == (19 - moved, told)


def test_it_is_due_later_or_waits_for_its_next_attempt(shop: Program, app: Postroom) -> None:
    later = enqueue(app, "work", 1, delay=60)
    assert re.fullmatch(
        r".* is due in \d+ s on queue q; but no live worker takes queue q: none.*\.", why(app, later).sentence
    )
    again = enqueue(app, "fail")
    shop.worker("jobs:app")
    assert re.fullmatch(rf"Job {later.id} is due in \d+ s on queue q\.", why(app, later).sentence)
    said = becomes(app, again, "retry")
    assert re.fullmatch(
        rf"Job {again.id} waits: attempt 1 failed with ConnectionError: no line, again in \d+ s\.", said
    )


def test_due_jobs_that_nobody_promotes(app: Postroom) -> None:
    job = enqueue(app, "work", 1, delay=0.05)
    time.sleep(0.1)
    answer = why(app, job)
    assert answer.state == "overdue"
    assert answer.sentence.endswith("and no worker or scheduler has looked for due jobs ever.")


def test_it_waits_for_other_jobs(app: Postroom, client: redis.Redis) -> None:
    queue = Queue("q", connection=client, serializer="json")
    first = queue.enqueue("jobs.work", 1)
    second = queue.enqueue("jobs.work", 2)
    third = queue.enqueue("jobs.work", 3, depends_on=[first, second])
    said = why(app, third.id)
    found = re.fullmatch(rf"Job {third.id} waits for 2 jobs, among them job (\S+), which is queued\.", said.sentence)
    assert said.state == "deferred"
    assert found
    assert found[1] in {first.id, second.id}
    second.cancel()
    assert why(app, third.id).sentence == (
        f"Job {third.id} waits for 2 jobs, among them job {second.id}, which was canceled: "
        "it waits until that one is run again and finishes."
    )


def test_workers_die_of_it(shop: Program, app: Postroom, client: Any) -> None:
    job = enqueue(app, "crash")
    app.queue("q").pause()
    shop.worker("jobs:app")
    app.queue("q").resume()
    said = becomes(app, job, "failed")
    found = re.fullmatch(
        rf"Job {job.id} died on worker (\S+) by signal 11 \(SIGSEGV\) .* ago, death 3; poison: .*; "
        r"it will be forgotten in 365 d\.",
        said,
    )
    assert found, said
    assert facts(app, job).deaths == 3


def test_a_worker_died_of_it_and_nobody_has_taken_it_since(shop: Program, app: Postroom, client: Any) -> None:
    shop.worker("jobs:app", **QUICK)
    job = enqueue(app, "hold")
    becomes(app, job, "running")
    name = worker_of(client, job)
    app.queue("q").pause()
    os.kill(_pid(client, name), signal.SIGSEGV)
    until(lambda: job.status() == "queued")
    assert why(app, job).sentence == (
        f"Job {job.id} waits: queue q is paused; it died on worker {name} by signal 11 (SIGSEGV), death 1."
    )


def _pid(client: Any, worker: str) -> int:
    return int(client.hget(f"rq:worker:{worker}", "pid"))


def test_its_whole_pool_is_lost(shop: Program, app: Postroom, client: Any) -> None:
    pool = shop.worker("jobs:app", **QUICK)
    job = enqueue(app, "hold")
    becomes(app, job, "running")
    name = worker_of(client, job)
    pool.kill()
    said = becomes(app, job, "lost")
    assert re.fullmatch(
        rf"Job {job.id} was started by worker {name}, whose lease ended .* ago: "
        r"it runs again once a worker or scheduler has looked\.",
        said,
    )
    assert look_at_queue(app.broker, "q") is not None
    assert queue_facts(app, "q").alive == ()


def test_it_has_ended(shop: Program, app: Postroom) -> None:
    failed, canceled = enqueue(app, "fail_for_good"), enqueue(app, "work", 1)
    deleted, dropped = enqueue(app, "work", 1), enqueue(app, "work", 1, result_ttl=0)
    kept = enqueue(app, "work", 1, result_ttl=-1)
    canceled.cancel()
    deleted.delete()
    shop.run("-m", "postroom", "worker", "jobs:app", "--burst")
    assert re.fullmatch(
        rf"Job {failed.id} failed .* ago in attempt 1; not-retryable: ConnectionError: no line; "
        r"it will be forgotten in 365 d\.",
        why(app, failed).sentence,
    )
    DeadLetters(app).purge([failed.id])
    assert re.search(r"; it was purged and will be forgotten in 1[45] m\.", why(app, failed).sentence)
    DeadLetters(app).undo()
    assert why(app, failed).sentence.endswith("; it will be forgotten in 365 d.")
    assert re.fullmatch(rf"Job {canceled.id} was canceled .* ago\.", why(app, canceled).sentence)
    assert why(app, deleted).sentence == f"Job {deleted.id} was deleted within the last minute."
    assert why(app, dropped).sentence.startswith(f"Job {dropped.id} ended within the last minute")
    assert why(app, kept).sentence.endswith("; it is kept for ever.")


def test_rqs_worker_failed_it(app: Postroom, client: redis.Redis) -> None:
    queue = Queue("q", connection=client, serializer="json")
    job = queue.enqueue("os.rmdir", "/no/such/folder")
    SimpleWorker([queue], connection=client, serializer="json").work(burst=True, logging_level="ERROR")
    answer = why(app, job.id)
    assert answer.state == "failed"
    assert "FileNotFoundError: [Errno 2] No such file or directory: '/no/such/folder'" in answer.sentence


def test_rqs_workers_take_queues_too(app: Postroom, client: redis.Redis) -> None:
    job = enqueue(app, "work", 1)
    theirs = Worker([Queue("q", connection=client, serializer="json")], connection=client, name="theirs")
    theirs.register_birth()  # type: ignore[no-untyped-call]
    assert [(worker.name, worker.kind) for worker in queue_facts(app, "q").workers] == [("theirs", "rq")]
    assert why(app, job).sentence == f"Job {job.id} is next in line on queue q."
    theirs.register_death()  # type: ignore[no-untyped-call]
    assert why(app, job).state == "no-worker"


def test_a_worker_that_does_not_say_what_it_takes(app: Postroom) -> None:
    app.broker.run(calls.join(app.keys, "old", 12, {}))
    job = enqueue(app, "work", 1)
    assert why(app, job).sentence.endswith(
        "no live worker takes queue q: 1 live worker of an older version does not say."
    )


def test_a_line_too_long_to_search(app: Postroom, monkeypatch: pytest.MonkeyPatch) -> None:
    app.broker.run(calls.join(app.keys, "w1", 12, {}))
    app.broker.run(calls.announce(app.keys, "w1", ["q"], {"p:threads": 1, "p:tasks": "d"}, "d", ["jobs.work"], 60))
    ids = list(app.using("jobs.work", queue="q").enqueue_many([(n,) for n in range(25)]))
    monkeypatch.setattr(look, "SEARCHED", 10)
    assert [facts(app, ids[n]).ahead for n in (0, 9, 10, 14, 15, 24)] == [0, 9, None, None, 15, 24]
    assert why(app, ids[10]).sentence == f"Job {ids[10]} has more than 10 of 25 jobs of queue q ahead of it."


def test_an_id_that_somebody_took_off_the_list(app: Postroom, client: Any) -> None:
    app.broker.run(calls.join(app.keys, "w1", 12, {}))
    app.broker.run(calls.announce(app.keys, "w1", ["q"], {"p:threads": 1}, "d", [], 60))
    job = enqueue(app, "work", 1)
    client.delete("rq:queue:q")
    assert why(app, job).state == "misplaced"


def test_what_cannot_be_read_is_no_reason_to_fail(app: Postroom, client: Any) -> None:
    client.set("rq:job:a", "oops")
    assert why(app, "a").state == "foreign"
    client.hset("rq:job:b", mapping={"data": b"\xff", "origin": "q", "started_at": "no date", "p:failure:0": "{"})
    assert why(app, "b").state == "no-worker"


def test_the_command(shop: Program, app: Postroom) -> None:
    job = enqueue(app, "work", 1, job_id="receipt-42")
    said = shop.run("-m", "postroom", "why", "receipt-42")
    assert (said.returncode, said.stdout) == (
        0,
        "Job receipt-42 waits: no live worker takes queue q: none is alive at all.\n",
    )
    told = shop.run("-m", "postroom", "why", "q", "--json")
    found = json.loads(told.stdout)
    assert (told.returncode, found["state"], found["facts"]["waiting"]) == (0, "no-worker", 1)
    assert found["sentence"].startswith("Queue q: 1 job waits")
    near = shop.run("-m", "postroom", "why", "receipt-43")
    assert (near.returncode, near.stdout) == (
        1,
        "Job receipt-43 is not on the server: never enqueued there, past its time, or deleted. "
        f"Like it are: {job.id}.\n",
    )
    assert shop.run("-m", "postroom", "why", "a:b").stdout == (
        "'a:b' cannot be a job's id, and no queue of this name ever had a job.\n"
    )
    wrong = shop.run("-m", "postroom", "why", "a b")
    assert (wrong.returncode, "1 to 200 printable characters" in wrong.stderr) == (2, True)
    away = shop.run("-m", "postroom", "why", "q", "--url", f"unix://{Path(shop.folder)}/nothing")
    assert away.returncode == 3
