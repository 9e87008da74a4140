"""A program that knows RQ and nothing of ours: it enqueues, looks and meddles as RQ's users do, in its own process.

Run as `python rq_side.py URL`; it reads `[function, args, kwargs]` as JSON, one call a line, and answers with what the
function returned, or with the traceback.
"""

import json
import sys
import traceback
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from redis import Redis
from rq import Callback, Queue, RateLimit, Repeat, Retry
from rq.group import Group
from rq.job import Dependency, Job
from rq.registry import (
    CanceledJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    ScheduledJobRegistry,
    StartedJobRegistry,
)
from rq.webhook import Webhook

REGISTRIES = {
    "started": StartedJobRegistry,
    "finished": FinishedJobRegistry,
    "failed": FailedJobRegistry,
    "scheduled": ScheduledJobRegistry,
    "canceled": CanceledJobRegistry,
}


def enqueue(
    redis: Redis,
    function: str,
    *args: Any,
    queue: str = "default",
    serializer: str = "json",
    on_success: str | None = None,
    on_failure: str | None = None,
    depends_on: dict[str, Any] | None = None,
    retry: dict[str, Any] | None = None,
    repeat: dict[str, Any] | None = None,
    rate_limit: tuple[str, int] | None = None,
    webhooks: Sequence[dict[str, Any]] = (),
    **options: Any,
) -> str:
    """`Queue.enqueue`, with RQ's objects spelled as plain values; the job's id."""
    job = Queue(queue, connection=redis, serializer=serializer).enqueue(
        function,
        *args,
        on_success=Callback(on_success) if on_success else None,
        on_failure=Callback(on_failure) if on_failure else None,
        depends_on=Dependency(**depends_on) if depends_on else None,
        retry=Retry(**retry) if retry else None,
        repeat=Repeat(**repeat) if repeat else None,
        rate_limit=RateLimit(*rate_limit) if rate_limit else None,
        webhooks=[Webhook(**webhook) for webhook in webhooks],
        **options,
    )
    return str(job.id)


def enqueue_in(redis: Redis, seconds: float, function: str, *args: Any) -> str:
    """`Queue.enqueue_in`."""
    queue = Queue(connection=redis, serializer="json")
    return str(queue.enqueue_in(timedelta(seconds=seconds), function, *args).id)


class Trap:
    """Creates a file wherever it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Tell pickle to open the file."""
        return open, ("broken-into", "w")


def enqueue_trap(redis: Redis, function: str) -> str:
    """A call with a trap for an argument, by RQ's default serializer."""
    return str(Queue(connection=redis).enqueue(function, Trap()).id)


def enqueue_group(redis: Redis, name: str, function: str, calls: Sequence[Sequence[Any]], **options: Any) -> list[str]:
    """`Group.enqueue_many`: one job of `function` for each of `calls`."""
    queue = Queue(connection=redis, serializer="json")
    if "on_success" in options:
        options["on_success"] = Callback(options["on_success"])
    datas = [Queue.prepare_data(function, args=tuple(args), **options) for args in calls]
    return [str(job.id) for job in Group.create(redis, name).enqueue_many(queue, datas)]


def group_statuses(redis: Redis, name: str) -> dict[str, str]:
    """What `Group.get_jobs` has to say."""
    return {str(job.id): job.get_status().value for job in Group(redis, name).get_jobs()}


def look(redis: Redis, job_id: str, serializer: str = "json") -> dict[str, Any]:
    """A job as `rq.job.Job` shows it, newest result first."""
    job = Job.fetch(job_id, connection=redis, serializer=serializer)
    latest = job.latest_result()
    return {
        "status": job.get_status().value,
        "return_value": job.return_value(),
        "results": [result.type.name for result in job.results()],
        "exc_string": latest.exc_string if latest else None,
        "worker": latest.worker_name if latest else None,
        "seconds": _seconds(job.started_at, job.ended_at),
        "meta": job.get_meta(),
    }


def registry(redis: Redis, name: str, queue: str = "default") -> list[str]:
    """The ids of a registry. RQ cleans it up when asked for them, and when asked for its length, as dashboards do."""
    found = REGISTRIES[name](queue, connection=redis, serializer="json")
    return found.get_job_ids() if len(found) else []


def clean_up_started(redis: Redis, days: float) -> None:
    """RQ's clean-up of running jobs, as if `days` had passed."""
    at = (datetime.now() + timedelta(days=days)).timestamp()
    StartedJobRegistry(connection=redis, serializer="json").cleanup(timestamp=at)


def requeue(redis: Redis, job_id: str) -> None:
    """`FailedJobRegistry.requeue`."""
    FailedJobRegistry(connection=redis, serializer="json").requeue(job_id)


def cancel(redis: Redis, job_id: str) -> None:
    """`Job.cancel`."""
    Job.fetch(job_id, connection=redis, serializer="json").cancel()


def delete(redis: Redis, job_id: str) -> None:
    """`Job.delete`."""
    Job.fetch(job_id, connection=redis, serializer="json").delete()


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None


def main(url: str) -> None:
    """Answer calls until there are no more."""
    redis = Redis.from_url(url)
    for line in sys.stdin:
        name, args, kwargs = json.loads(line)
        try:
            reply = {"value": globals()[name](redis, *args, **kwargs)}
        except Exception:
            reply = {"error": traceback.format_exc()}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
