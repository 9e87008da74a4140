"""The program of the controls: plain RQ with its own worker, and the places where RQ is struck.

`python -m tests.fault.rq_program produce|expire JSON`. The struck workers are given to `rq worker` as its worker or
queue class; each does what RQ's own does, and dies in the window that it is named for.
"""

import json
import os
import signal
import sys
import time
from typing import Any

import redis
from redis.connection import UnixDomainSocketConnection
from rq import Queue, Retry, Worker, get_current_job
from rq.registry import StartedJobRegistry

from tests.fault.history import History

history = History.from_environ()
MODULE = "tests.fault.rq_program"


# Handlers --------------------------------------------------------------------------------------------------------


def work(seconds: float = 0.0, fails: int = 0) -> None:
    """Has one effect, a line in the history; raises in its first `fails` attempts."""
    job: Any = get_current_job()
    attempt = 2 - job.retries_left if job.retries_left is not None else 1  # produce() allows one retry, or none
    history.run("start", job.id, 0, attempt)
    time.sleep(seconds)
    if attempt <= fails:
        history.run("fail", job.id, 0, attempt)
        raise ConnectionError("as told")
    history.run("end", job.id, 0, attempt)


# Windows ---------------------------------------------------------------------------------------------------------


def die(*pids: int) -> None:
    """SIGKILL these, of which this process is the last."""
    for pid in pids:
        history.fault("SIGKILL", pid)
        os.kill(pid, signal.SIGKILL)


class DiesDequeued(Worker):
    """Dies when it has taken a job, and has not recorded that it will execute it."""

    def execute_job(self, job: Any, queue: Any) -> None:
        """Die."""
        die(os.getpid())


class DiesRecorded(Worker):
    """Dies when it has recorded an execution, and the job's status does not say so yet."""

    def fork_work_horse(self, job: Any, queue: Any) -> None:
        """Die."""
        die(os.getpid())


class DiesRetrying(Queue):
    """Its worker and its work horse die when a job's status says `scheduled`, and the transaction was not sent."""

    def schedule_job(self, *args: Any, **options: Any) -> Any:
        """Die."""
        die(os.getppid(), os.getpid())


class LosesReply(UnixDomainSocketConnection):
    """Loses the first reply to an EXEC that wrote a job."""

    lost = False

    def read_response(self, *args: Any, **options: Any) -> Any:
        """Read; the server has answered when the answer is lost."""
        reply = super().read_response(*args, **options)
        if isinstance(reply, list) and len(reply) > 1 and not LosesReply.lost:
            LosesReply.lost = True
            history.fault("reply-lost")
            self.disconnect()  # type: ignore[no-untyped-call]
            raise redis.ConnectionError("as told")
        return reply


# Commands --------------------------------------------------------------------------------------------------------


def produce(client: Any, queues: list[str], count: int, args: list[Any], retry: int | None = None) -> None:
    """Enqueue `count` jobs on the queues in turn; `retry`: once more, after so many seconds."""
    for i in range(count):
        policy = Retry(max=1, interval=retry) if retry is not None else None
        queue = Queue(queues[i % len(queues)], connection=client, serializer="json")
        history.acked(queue.enqueue(f"{MODULE}.work", *args, retry=policy).id)


def expire(client: Any, queues: list[str]) -> None:
    """RQ's own clean-up, an hour later by its clock: every lease that nobody renews has ended."""
    for queue in queues:
        StartedJobRegistry(queue, connection=client, serializer="json").cleanup(timestamp=time.time() + 3600)


def main(command: str, url: str, *, lossy: bool = False, **options: Any) -> None:
    """Run one command on the server, which has a unix socket."""
    client = redis.Redis(unix_socket_path=url.removeprefix("unix://"))  # with redis-py's own retries
    if lossy:
        client.connection_pool.connection_class = LosesReply
    (produce if command == "produce" else expire)(client, **options)


if __name__ == "__main__":
    main(sys.argv[1], **json.loads(sys.argv[2]))
