"""Why a job is not running, or how it ended; why a queue does not move. Facts become one plain sentence.

Of several reasons the one is told that would still hold if the later ones were gone.
"""

from collections.abc import Callable
from dataclasses import dataclass

from postroom.jobs.failure import Cause
from postroom.jobs.times import span
from postroom.monitor.facts import JobFacts, LimitFacts, LineFacts, QueueFacts, WaitsFor

UNWATCHED = 5.0
"""Seconds without a duty done after which nobody seems to do them."""
PACE = 60
"""Seconds of the past that a queue's pace is taken from."""

Said = tuple[str, str]
"""A state in one word, and what is said of the job or the queue."""

_NOTICED = "a worker or scheduler sees that within seconds, and the next one follows"


@dataclass(frozen=True, slots=True)
class Answer:
    """`state`: one word for programs. `sentence`: for people."""

    state: str
    sentence: str


def why_job(job: JobFacts) -> Answer:
    """Why it is not running, or how it ended."""
    state, said = _JOBS.get(job.status, _other)(job)
    lock = f"; it holds the lock {job.lock}: no second one is enqueued" if job.lock else ""
    return Answer(state, f"Job {job.id} {said}{lock}{_bound(job) if job.status in _OPEN else ''}.")


def why_queue(queue: QueueFacts) -> Answer:
    """Why its jobs do not run, or how many do."""
    waiting = f"{count(queue.waiting, 'job')} {'waits' if queue.waiting == 1 else 'wait'}"
    if queue.waiting and queue.oldest is not None:
        waiting += f", the oldest for {span(queue.oldest)}"
    if queue.deferred:
        those = f"{queue.deferred:,} more" if queue.waiting else count(queue.deferred, "job")
        those += f" {'waits' if queue.deferred == 1 else 'wait'} for a key, a limit or other jobs"
        waiting = f"{waiting}; {those}" if queue.waiting else those
    obstacle = _obstacle(queue)
    if obstacle:
        state, said = obstacle
        return Answer(state, f"Queue {queue.name}: {waiting}; {said}.")
    takers = count(len(queue.workers), "worker")
    running = f"running {queue.running:,} of {count(queue.places, 'place')}"
    busy = "running" if queue.running else "deferred" if queue.deferred else "empty"
    state = "waiting" if queue.waiting else busy
    if not queue.waiting and not queue.deferred:
        waiting = "no job waits"
    return Answer(
        state,
        f"Queue {queue.name}: {waiting}; {takers} {'takes' if len(queue.workers) == 1 else 'take'} it, {running}.",
    )


def _obstacle(queue: QueueFacts | None) -> Said | None:
    """What keeps every job of a queue; None where nothing does."""
    if queue is None:
        return None
    if queue.paused:
        return "paused", f"queue {queue.name} is paused"
    if not queue.workers:
        return "no-worker", f"no live worker takes queue {queue.name}: {_who_lives(queue)}"
    return None


def _who_lives(queue: QueueFacts) -> str:
    silent = sum(not worker.announced for worker in queue.alive)
    parts = [f"live workers take {', '.join(queue.taken)}"] if queue.taken else []
    if silent:
        parts.append(f"{count(silent, 'live worker')} of an older version {'does' if silent == 1 else 'do'} not say")
    return " and ".join(parts) or "none is alive at all"


def _obstacle_of(job: JobFacts) -> Said | None:
    """What keeps this job on its queue; None where it only has to wait for its turn."""
    obstacle = _obstacle(job.queue)
    if obstacle or job.queue is None:
        return obstacle
    if job.knows_task is False:
        takers = len(job.queue.workers)
        nobody = "the only live worker" if takers == 1 else f"none of {takers:,} live workers"
        knows = "does not know" if takers == 1 else "knows"
        return "unknown-task", f"{nobody} on queue {job.queue.name} {knows} its task {job.task}"
    return None


def _queued(job: JobFacts) -> Said:
    obstacle = _obstacle_of(job)
    if obstacle:
        state, said = obstacle
        more = ": whoever claims it puts it off" if state == "unknown-task" else ""
        return state, f"waits: {said}{more}{_past(job)}"
    queue = job.queue.name if job.queue else "?"
    if job.ahead is not None:
        return "in-line", f"is {_turn(job.ahead)} on queue {queue}{_how_long(job)}{_past(job)}"
    waiting = job.queue.waiting if job.queue else 0
    if waiting > 2 * job.searched:
        beyond = f"has more than {job.searched:,} of {waiting:,} jobs of queue {queue} ahead of it"
        return "in-line", f"{beyond}{_past(job)}"
    return "misplaced", f"is queued and not on the list of queue {queue}: delete it and enqueue it again"


def _turn(ahead: int) -> str:
    return "next in line" if ahead == 0 else f"{ordinal(ahead + 1)} in line"


def _how_long(job: JobFacts) -> str:
    if not job.ahead:
        return ""
    if job.pace > 0:
        return f", about {span(job.ahead / job.pace)}"
    return f"; how long is unknown, for no job of this queue is known to have ended within the last {PACE} s"


def _past(job: JobFacts) -> str:
    """What happened to a job that waits."""
    failure = job.failure
    if job.deaths and failure and failure.how:
        return f"; it died on worker {failure.worker or '?'} by {failure.how}, death {job.deaths}"
    if job.attempts and failure:
        return f"; attempt {failure.attempt} failed with {failure.error}"
    if job.redelivered:
        return f"; {count(job.redelivered, 'worker')} {'was' if job.redelivered == 1 else 'were'} lost with it"
    return ""


def _bound(job: JobFacts) -> str:
    """What its deadline says of a job that has not ended."""
    if job.deadline is None:
        return ""
    if job.deadline > 0:
        return f"; its deadline is in {span(job.deadline)}"
    then = "" if job.status == "started" else ": it expires when its turn comes"
    return f"; its deadline passed {span(-job.deadline)} ago{then}"


def _scheduled(job: JobFacts) -> Said:
    queue = job.queue.name if job.queue else "?"
    if job.due is None:
        return "misplaced", f"is scheduled and not on the list of what is due on queue {queue}: enqueue it again"
    unwatched = job.queue.unwatched if job.queue else None
    if job.due <= 0 and (unwatched is None or unwatched > UNWATCHED):
        since = "ever" if unwatched is None else f"for {span(unwatched)}"
        nobody = f"no worker or scheduler has looked for due jobs {since}"
        return "overdue", f"was due {span(-job.due)} ago on queue {queue}, and {nobody}"
    when = f"in {span(job.due)}" if job.due > 0 else "now"
    obstacle = _obstacle_of(job)
    again = f"workers are asked again {'when one with new code comes, at the latest ' if job.declined else ''}{when}"
    if obstacle and obstacle[0] == "unknown-task":
        return "unknown-task", f"waits: {obstacle[1]}; {again}{_past(job)}"
    but = f"; but {obstacle[1]}" if obstacle else ""
    if job.waits:
        state, needs = (
            ("unknown-task", "knows its") if job.waits.startswith("task ") else ("needs-upgrade", "can read it:")
        )
        return state, f"waits for a worker that {needs} {job.waits}; {again}{but}"
    if job.attempts:
        failed = f"failed with {job.failure.error}" if job.failure else "failed"
        return "retry", f"waits: attempt {job.attempts} {failed}, again {when}{but}"
    return "due", f"is due {when} on queue {queue}{but}"


def _deferred(job: JobFacts) -> Said:
    if job.limit:
        return "limited", _in_line_of_limit(job.limit)
    if job.line:
        return "key", _in_line_of_key(job.line)
    if not job.waits_for:
        return "deferred", "is deferred though no job that it waited for is open any more: enqueue it again"
    first = job.waits_for[0]
    what = f"job {first.id}, which {_being(first)}"
    if len(job.waits_for) > 1:
        what = f"{count(len(job.waits_for), 'job')}, among them {what}"
    for_good = first.status in {"failed", "canceled", "stopped"}
    return "deferred", f"waits for {what}{': it waits until that one is run again and finishes' if for_good else ''}"


def _in_line_of_key(line: LineFacts) -> str:
    held = f" for {span(line.held)}" if line.held is not None else ""
    what = f"which {_being(line.holder)}" if line.holder.status else f"which is gone: {_NOTICED}"
    before = f"{count(line.before, 'job')} {'is' if line.before == 1 else 'are'} before it"
    return f"waits for its key {line.key}, held{held} by job {line.holder.id}, {what}; {before}"


def _in_line_of_limit(limit: LimitFacts) -> str:
    parts = []
    if limit.concurrency:
        oldest = f", job {limit.oldest} for {span(limit.held or 0.0)}" if limit.oldest else ""
        parts.append(f"{limit.taken:,} of {count(limit.concurrency, 'place')} taken{oldest}")
    if limit.interval:
        parts.append(f"the next may begin {f'in {span(limit.opens)}' if limit.opens else 'now'}")
    before = f"{count(limit.before, 'job')} {'is' if limit.before == 1 else 'are'} before it"
    return f"waits for its turn in the limit {limit.name}: {', '.join([*parts, before])}"


def _being(other: WaitsFor) -> str:
    words = {
        "queued": "is queued",
        "scheduled": "is scheduled",
        "deferred": "waits itself",
        "started": f"runs on worker {other.worker}" if other.worker else "runs",
        "failed": "failed",
        "canceled": "was canceled",
        "stopped": "was stopped",
    }
    return words.get(other.status, f"is {other.status}")


def _started(job: JobFacts) -> Said:
    if job.worker_kind == "rq":
        return "running", f"has run on RQ's worker {job.worker} for {span(job.runs_for or 0.0)}"
    if job.lease is None:
        return "lost", f"was started by worker {job.worker or '?'}, which is not known here any more"
    if job.lease <= 0:
        told = f"was started by worker {job.worker}, whose lease ended {span(-job.lease)} ago"
        return "lost", f"{told}: it runs again once a worker or scheduler has looked"
    attempt = f"(attempt {job.attempts + 1})"
    if job.runs_for is None:
        return "claimed", f"is in the hands of worker {job.worker}, just begun or about to begin {attempt}"
    return "running", f"has run on worker {job.worker} for {span(job.runs_for)} {attempt}"


def _finished(job: JobFacts) -> Said:
    took = "" if job.took is None else f" in {span(job.took)}"
    kept = "for ever" if job.kept is None else f"for {span(job.kept)} more"
    return "finished", f"finished{_ago(job)}{took}; it is kept {kept}"


def _failed(job: JobFacts) -> Said:
    failure = job.failure
    # Other causes end it without an execution: the newest one that failed is then an earlier one.
    if failure and failure.how and job.cause in {Cause.POISON, Cause.KILLED}:
        said = f"died on worker {failure.worker or '?'} by {failure.how}{_ago(job)}"
        said += f", death {job.deaths}" if job.deaths > 1 else ""
    else:
        said = f"failed{_ago(job)}" + (f" in attempt {job.attempts}" if job.attempts else "")
    parts = (job.cause, job.reason.removeprefix(f"{job.cause}: "))
    why = ": ".join(filter(None, parts)) or "why is not known"
    kept = "never be forgotten" if job.kept is None else f"be forgotten in {span(job.kept)}"
    return "failed", f"{said}; {why}; it {'was purged and ' if job.purged else ''}will {kept}"


def _ago(job: JobFacts) -> str:
    return "" if job.ended is None else f" {span(job.ended)} ago"


def _other(job: JobFacts) -> Said:
    return job.status, f"has the status {job.status}, which is RQ's own affair"


_OPEN = {"queued", "created", "scheduled", "deferred", "started"}
_JOBS: dict[str, Callable[[JobFacts], Said]] = {
    "queued": _queued,
    "created": _queued,
    "scheduled": _scheduled,
    "deferred": _deferred,
    "started": _started,
    "finished": _finished,
    "failed": _failed,
    "canceled": lambda job: ("canceled", f"was canceled{_ago(job)}"),
    "expired": lambda job: (
        "expired",
        f"expired{_ago(job)}: its deadline had passed before a worker could begin it{_past(job)}",
    ),
    "stopped": lambda job: ("canceled", f"was stopped by RQ{_ago(job)}"),
    "rate_limited": lambda _: ("rate-limited", "waits for its turn under RQ's rate limit"),
    "foreign": lambda _: ("foreign", "is no job: a key of another type stands in the place of its hash"),
    "deleted": lambda _: ("missing", "was deleted within the last minute"),
    "dropped": lambda _: ("missing", "ended within the last minute, and its result was to be kept no longer"),
    "missing": lambda _: ("missing", "is not on the server: never enqueued there, past its time, or deleted"),
}


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `418th`."""
    teen = 10 <= number % 100 <= 20
    return f"{number:,}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def count(number: int, thing: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
