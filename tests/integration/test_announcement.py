"""Workers announce what they take, as long as they live, and RQ's readers find them."""

import os
import signal
from typing import Any

import pytest
import redis
from rq import Queue, Worker

from postroom import Postroom
from postroom.jobs import calls
from postroom.monitor.facts import WorkerFacts
from postroom.monitor.look import look_at_queue
from tests.integration.programs import Program, children, until

JOBS = """
from postroom import Postroom

app = Postroom()

@app.task(queue="q")
def work(n):
    return n
"""


@pytest.fixture
def shop(program: Program) -> Program:
    """A user's `jobs.py`."""
    program.write("jobs.py", JOBS)
    return program


def takers(app: Postroom) -> list[WorkerFacts]:
    """The live workers that take the queue `q`."""
    found = look_at_queue(app.broker, "q")
    return found.workers if found else []


def test_what_a_worker_announces(shop: Program, app: Postroom, client: Any) -> None:
    pool = shop.worker("jobs:app", "q:2", "r:1", "-c", "3", POSTROOM_CODE_VERSION="v7")
    (worker,) = takers(app)
    assert (worker.queues, worker.threads, worker.code, worker.kind) == (("q", "r"), 3, "v7", "postroom")
    assert [worker.pid] == children(pool.pid)
    assert client.smembers(f"postroom:tasks:{worker.tasks}") == {b"jobs.work"}
    # The server forgets it all: the keeper says it again, with everything.
    born = client.hget(f"rq:worker:{worker.name}", "birth")
    client.hset(f"rq:worker:{worker.name}", "state", "?")
    client.delete("rq:workers", f"postroom:tasks:{worker.tasks}")
    until(lambda: client.smembers("rq:workers"))
    assert client.smembers(f"postroom:tasks:{worker.tasks}") == {b"jobs.work"}
    assert client.hmget(f"rq:worker:{worker.name}", "birth", "state") == [born, b"idle"]
    assert 470 < client.ttl(f"rq:worker:{worker.name}") <= 480


def test_a_worker_that_was_given_up_announces_itself_again(shop: Program, app: Postroom, client: Any) -> None:
    shop.worker("jobs:app")
    (worker,) = takers(app)
    while app.broker.run(calls.recover(app.keys, worker.name, resigned=True)):
        pass
    assert takers(app) == []
    job = app.enqueue("jobs.work", 1, queue="q")  # its claim finds out
    assert job.result(20) == 1
    assert takers(app) == [worker]


def test_rqs_readers_see_our_workers(shop: Program, app: Postroom, client: redis.Redis) -> None:
    pool = shop.worker("jobs:app", "q", "r", "-p", "2")
    until(lambda: len(Worker.all(connection=client)) == 2)
    found = Worker.all(connection=client)
    assert {worker.pid for worker in found} == set(children(pool.pid))
    assert [worker.queue_names() for worker in found] == [["q", "r"]] * 2
    assert {worker.get_state() for worker in found} == {"idle"}
    assert Worker.count(queue=Queue("r", connection=client)) == 2
    # One dies: another stands in its place.
    killed = found[0].pid
    assert killed
    os.kill(killed, signal.SIGKILL)

    def replaced() -> bool:
        pids = {worker.pid for worker in Worker.all(connection=client)}
        return len(pids) == 2 and not pids & {killed, None}  # None: RQ read it while it was taken away

    until(replaced)
    assert Worker.count(queue=Queue("r", connection=client)) == Worker.count(connection=client) == 2
    pool.signal(signal.SIGTERM)
    assert pool.wait() == 0
    assert Worker.count(queue=Queue("r", connection=client)) == Worker.count(connection=client) == 0
    assert client.keys("rq:worker*") == []
