"""RQ's tasks and producer."""

import os

from redis import Redis
from rq import Queue
from rq.job import Job

from benchmarks.apps import stamps as latency

queue = Queue(connection=Redis.from_url(os.environ["REDIS_URL"]))

BATCH = 500  # jobs in one pipeline; 100 to 20,000 make little difference


def noop(payload: str = "") -> None:
    """Do nothing."""


def connect() -> None:
    """Reach the server, so that the clock need not wait for it."""
    queue.connection.ping()


def one_by_one(count: int) -> None:
    """Enqueue `count` jobs, each acknowledged before the next."""
    for _ in range(count):
        queue.enqueue(noop)


def bulk(count: int, size: int) -> None:
    """Enqueue `count` jobs as fast as the contender's API can, with so many bytes of payload."""
    args = ("x" * size,) if size else ()
    for start in range(0, count, BATCH):
        queue.enqueue_many([Queue.prepare_data(noop, args) for _ in range(min(BATCH, count - start))])


def stamps(count: int) -> None:
    """Enqueue `count` jobs at an even pace."""
    latency.pace(count, lambda sent: queue.enqueue(latency.stamp, sent))


def read(count: int) -> None:
    """Read the results of the `count` jobs that ended last; raises where one is not there."""
    job_ids = queue.finished_job_registry.get_job_ids(-count, -1, cleanup=False)
    if len(job_ids) != count:
        raise LookupError(f"{len(job_ids)} jobs have finished, not {count}")
    for job_id in job_ids:
        if Job.fetch(job_id, connection=queue.connection).latest_result() is None:
            raise LookupError(f"job {job_id} has no result")
