"""Facts become a sentence: one row for each."""

from typing import Any

import pytest

from postroom.jobs.times import span
from postroom.monitor.facts import FailureFacts, JobFacts, LineFacts, QueueFacts, WaitsFor, WorkerFacts
from postroom.monitor.why import ordinal, why_job, why_queue

W1 = WorkerFacts(name="w1", queues=("mail", "slow"), threads=10, tasks="d1")
W2 = WorkerFacts(name="w2", queues=("mail",), threads=5, tasks="d1")
OTHER = WorkerFacts(name="w3", queues=("slow",), threads=10)
OLD = WorkerFacts(name="w4", announced=False)


def mail(*alive: WorkerFacts, **facts: Any) -> QueueFacts:
    """The queue `mail`, whose duties were done a second ago."""
    return QueueFacts(**{"name": "mail", "alive": alive or (W1, W2), "unwatched": 1.0, **facts})


NO = FailureFacts(attempt=2, error="ValueError: no", worker="w1")
SEGFAULT = FailureFacts(attempt=1, error="…", worker="w9", how="signal 11 (SIGSEGV)")
RETRY = {"queue": mail(), "attempts": 2, "failure": NO}
PAUSED, NOBODY = mail(paused=True), mail(OTHER)
RUNS = {"queue": mail(), "worker": "w1", "worker_kind": "postroom", "lease": 9.0}

JOBS: list[tuple[str, dict[str, Any], str, str]] = [
    # In line.
    ("queued", {"queue": mail(), "ahead": 0}, "in-line", "is next in line on queue mail"),
    ("created", {"queue": mail(), "ahead": 0}, "in-line", "is next in line on queue mail"),
    (
        "queued",
        {"queue": mail(), "ahead": 417, "pace": 2.3},
        "in-line",
        "is 418th in line on queue mail, about 3 m",
    ),
    (
        "queued",
        {"queue": mail(), "ahead": 1},
        "in-line",
        "is 2nd in line on queue mail; how long is unknown, for no job of this queue is known to have ended within the "
        "last 60 s",
    ),
    (
        "queued",
        {"queue": mail(waiting=1_000_000), "searched": 100_000},
        "in-line",
        "has more than 100,000 of 1,000,000 jobs of queue mail ahead of it",
    ),
    (
        "queued",
        {"queue": mail(waiting=7), "searched": 100_000},
        "misplaced",
        "is queued and not on the list of queue mail: delete it and enqueue it again",
    ),
    ("queued", {**RETRY, "ahead": 0}, "in-line", "is next in line on queue mail; attempt 2 failed with ValueError: no"),
    (
        "queued",
        {"queue": mail(), "ahead": 0, "deaths": 2, "redelivered": 2, "failure": SEGFAULT},
        "in-line",
        "is next in line on queue mail; it died on worker w9 by signal 11 (SIGSEGV), death 2",
    ),
    (
        "queued",
        {"queue": mail(), "ahead": 0, "redelivered": 1},
        "in-line",
        "is next in line on queue mail; 1 worker was lost with it",
    ),
    ("queued", {"queue": mail(), "ahead": 0, "failure": NO}, "in-line", "is next in line on queue mail"),
    # What keeps it, the first that applies.
    ("queued", {"queue": PAUSED, "ahead": 3}, "paused", "waits: queue mail is paused"),
    ("queued", {"queue": mail(OTHER, paused=True)}, "paused", "waits: queue mail is paused"),
    ("queued", {"queue": NOBODY}, "no-worker", "waits: no live worker takes queue mail: live workers take slow"),
    ("queued", {"queue": mail(alive=())}, "no-worker", "waits: no live worker takes queue mail: none is alive at all"),
    (
        "queued",
        {"queue": mail(OTHER, OLD)},
        "no-worker",
        "waits: no live worker takes queue mail: "
        "live workers take slow and 1 live worker of an older version does not say",
    ),
    (
        "queued",
        {"queue": mail(), "task": "shop.x", "knows_task": False},
        "unknown-task",
        "waits: none of 2 live workers on queue mail knows its task shop.x: whoever claims it puts it off",
    ),
    (
        "queued",
        {"queue": mail(W2), "task": "shop.x", "knows_task": False},
        "unknown-task",
        "waits: the only live worker on queue mail does not know its task shop.x: whoever claims it puts it off",
    ),
    (
        "queued",
        {"queue": mail(), "task": "shop.x", "knows_task": True, "ahead": 0},
        "in-line",
        "is next in line on queue mail",
    ),
    # Due later.
    ("scheduled", {"queue": mail(), "due": 12.2}, "due", "is due in 12 s on queue mail"),
    (
        "scheduled",
        {"queue": mail(W2), "due": 12.2, "task": "shop.x", "knows_task": False},
        "unknown-task",
        "waits: the only live worker on queue mail does not know its task shop.x; workers are asked again in 12 s",
    ),
    ("scheduled", {"queue": mail(), "due": -0.3}, "due", "is due now on queue mail"),
    ("scheduled", {"queue": PAUSED, "due": 12.2}, "due", "is due in 12 s on queue mail; but queue mail is paused"),
    (
        "scheduled",
        {"queue": mail(unwatched=40.0), "due": -41.0},
        "overdue",
        "was due 41 s ago on queue mail, and no worker or scheduler has looked for due jobs for 40 s",
    ),
    (
        "scheduled",
        {"queue": mail(unwatched=None), "due": -41.0},
        "overdue",
        "was due 41 s ago on queue mail, and no worker or scheduler has looked for due jobs ever",
    ),
    ("scheduled", {**RETRY, "due": 12.2}, "retry", "waits: attempt 2 failed with ValueError: no, again in 12 s"),
    ("scheduled", {**RETRY, "failure": None, "due": 12.2}, "retry", "waits: attempt 2 failed, again in 12 s"),
    (
        "scheduled",
        {**RETRY, "queue": mail(), "due": 12.2, "waits": "message m of version 2"},
        "needs-upgrade",
        "waits for a worker that can read it: message m of version 2; workers are asked again in 12 s",
    ),
    (
        "scheduled",
        {**RETRY, "queue": mail(), "due": 12.2, "waits": "message m of version 2", "declined": True},
        "needs-upgrade",
        "waits for a worker that can read it: message m of version 2; "
        "workers are asked again when one with new code comes, at the latest in 12 s",
    ),
    (
        "scheduled",
        {"queue": NOBODY, "due": 12.2, "waits": "task shop.x", "declined": True},
        "unknown-task",
        "waits for a worker that knows its task shop.x; workers are asked again when one with new code comes, "
        "at the latest in 12 s; but no live worker takes queue mail: live workers take slow",
    ),
    (
        "scheduled",
        {"queue": mail()},
        "misplaced",
        "is scheduled and not on the list of what is due on queue mail: enqueue it again",
    ),
    # Waiting for others.
    (
        "deferred",
        {"waits_for": (WaitsFor(id="a", status="started", worker="w1"),)},
        "deferred",
        "waits for job a, which runs on worker w1",
    ),
    (
        "deferred",
        {"waits_for": (WaitsFor(id="a", status="queued"), WaitsFor(id="b", status="queued"))},
        "deferred",
        "waits for 2 jobs, among them job a, which is queued",
    ),
    (
        "deferred",
        {"waits_for": (WaitsFor(id="a", status="failed"),)},
        "deferred",
        "waits for job a, which failed: it waits until that one is run again and finishes",
    ),
    (
        "deferred",
        {"line": LineFacts(key="c-7", before=3, holder=WaitsFor(id="b", status="started", worker="w1"), held=240.0)},
        "key",
        "waits for its key c-7, held for 4 m by job b, which runs on worker w1; 3 jobs are before it",
    ),
    (
        "deferred",
        {"line": LineFacts(key="c-7", before=1, holder=WaitsFor(id="b", status=""))},
        "key",
        "waits for its key c-7, held by job b, which is gone: a worker or scheduler sees that within seconds, and the "
        "next one follows; 1 job is before it",
    ),
    ("deferred", {}, "deferred", "is deferred though no job that it waited for is open any more: enqueue it again"),
    # Running.
    ("started", {**RUNS, "runs_for": 12.2, "attempts": 1}, "running", "has run on worker w1 for 12 s (attempt 2)"),
    ("started", RUNS, "claimed", "is in the hands of worker w1, just begun or about to begin (attempt 1)"),
    (
        "started",
        {**RUNS, "lease": -20.0},
        "lost",
        "was started by worker w1, whose lease ended 20 s ago: it runs again once a worker or scheduler has looked",
    ),
    ("started", {"worker": "w1"}, "lost", "was started by worker w1, which is not known here any more"),
    ("started", {"worker": "w1", "worker_kind": "rq", "runs_for": 3.0}, "running", "has run on RQ's worker w1 for 3 s"),
    # Ended.
    (
        "finished",
        {"ended": 180.0, "took": 0.4, "kept": 320.0},
        "finished",
        "finished 3 m ago in 0.4 s; it is kept for 5 m more",
    ),
    ("finished", {}, "finished", "finished; it is kept for ever"),
    (
        "failed",
        {
            "ended": 180.0,
            "attempts": 2,
            "failure": NO,
            "cause": "exhausted",
            "reason": "ValueError: no",
            "kept": 86400 * 30.0,
        },
        "failed",
        "failed 3 m ago in attempt 2; exhausted: ValueError: no; it will be forgotten in 30 d",
    ),
    (
        "failed",
        {"ended": 9.0, "deaths": 3, "failure": SEGFAULT, "cause": "poison", "reason": "poison: 3 processes died"},
        "failed",
        "died on worker w9 by signal 11 (SIGSEGV) 9 s ago, death 3; "
        "poison: 3 processes died; it will never be forgotten",
    ),
    (
        "failed",
        {"deaths": 1, "failure": SEGFAULT, "cause": "unknown-task", "reason": "no task x", "kept": 9.0},
        "failed",
        "failed; unknown-task: no task x; it will be forgotten in 9 s",
    ),
    ("failed", {}, "failed", "failed; why is not known; it will never be forgotten"),
    (
        "failed",
        {"ended": 180.0, "cause": "discarded", "reason": "old", "kept": 840.0, "purged": True},
        "failed",
        "failed 3 m ago; discarded: old; it was purged and will be forgotten in 14 m",
    ),
    ("canceled", {"ended": 180.0}, "canceled", "was canceled 3 m ago"),
    ("stopped", {}, "canceled", "was stopped by RQ"),
    # Elsewhere.
    ("rate_limited", {}, "rate-limited", "waits for its turn under RQ's rate limit"),
    ("foreign", {}, "foreign", "is no job: a key of another type stands in the place of its hash"),
    ("deleted", {}, "missing", "was deleted within the last minute"),
    ("dropped", {}, "missing", "ended within the last minute, and its result was to be kept no longer"),
    ("missing", {}, "missing", "is not on the server: never enqueued there, past its time, or deleted"),
    ("odd", {}, "odd", "has the status odd, which is RQ's own affair"),
]


@pytest.mark.parametrize(("status", "facts", "state", "said"), JOBS, ids=[row[-1][:60] for row in JOBS])
def test_of_a_job(status: str, facts: dict[str, Any], state: str, said: str) -> None:
    answer = why_job(JobFacts(id="a", status=status, **facts))
    assert (answer.state, answer.sentence) == (state, f"Job a {said}.")


QUEUES = [
    (mail(), "empty", "no job waits; 2 workers take it, running 0 of 15 places"),
    (mail(W2, running=1), "running", "no job waits; 1 worker takes it, running 1 of 5 places"),
    (mail(waiting=1), "waiting", "1 job waits; 2 workers take it, running 0 of 15 places"),
    (
        mail(waiting=1500, oldest=180.0, running=15),
        "waiting",
        "1,500 jobs wait, the oldest for 3 m; 2 workers take it, running 15 of 15 places",
    ),
    (
        mail(waiting=2, deferred=3, oldest=180.0),
        "waiting",
        "2 jobs wait, the oldest for 3 m; 3 more wait for a key, a limit or other jobs; "
        "2 workers take it, running 0 of 15 places",
    ),
    (
        mail(W2, deferred=1),
        "deferred",
        "1 job waits for a key, a limit or other jobs; 1 worker takes it, running 0 of 5 places",
    ),
    (
        mail(W2, deferred=2, running=1),
        "running",
        "2 jobs wait for a key, a limit or other jobs; 1 worker takes it, running 1 of 5 places",
    ),
    (mail(paused=True, waiting=2), "paused", "2 jobs wait; queue mail is paused"),
    (mail(OTHER, waiting=2), "no-worker", "2 jobs wait; no live worker takes queue mail: live workers take slow"),
]


@pytest.mark.parametrize(("queue", "state", "said"), QUEUES, ids=[row[-1] for row in QUEUES])
def test_of_a_queue(queue: QueueFacts, state: str, said: str) -> None:
    answer = why_queue(queue)
    assert (answer.state, answer.sentence) == (state, f"Queue mail: {said}.")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-1, "0 ms"),
        (0.0042, "4 ms"),
        (0.1, "0.1 s"),
        (1, "1 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (119, "119 s"),
        (120, "2 m"),
        (7_199, "120 m"),
        (7_200, "2 h"),
        (172_800, "2 d"),
        (31_536_000, "365 d"),
        (1e9, "11,574 d"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert span(seconds) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (13, "13th"),
        (21, "21st"),
        (112, "112th"),
        (1003, "1,003rd"),
    ],
)
def test_places_in_line(number: int, said: str) -> None:
    assert ordinal(number) == said
