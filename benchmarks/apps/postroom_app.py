"""Postroom's no-op task and producer."""

from postroom import Postroom
from postroom.jobs.keys import Keys

app = Postroom()


@app.task
def noop() -> None:
    """Do nothing."""


def connect() -> None:
    """Reach the server, so that the clock need not wait for it."""
    app.broker.ping()


def one_by_one(count: int) -> None:
    """Enqueue `count` jobs, each acknowledged before the next."""
    for _ in range(count):
        noop.enqueue()


def bulk(count: int) -> None:
    """Enqueue `count` jobs as fast as the contender's API can."""
    noop.enqueue_many([()] * count)


def read(count: int) -> None:
    """Read the results of the `count` jobs that ended last; raises where one is not there."""
    with app.broker.client() as client:
        job_ids = [job_id.decode() for job_id in client.zrange(Keys().finished("default"), -count, -1)]
    if len(job_ids) != count:
        raise LookupError(f"{len(job_ids)} jobs have finished, not {count}")
    for job_id in job_ids:
        app.job(job_id).result(timeout=0)
