"""Connections are never shared: not across a fork, not across event loops, not across threads."""

import asyncio
import gc
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from postroom import Postroom
from tests.integration.programs import Program, burst, working

PRELOADED = """
import asyncio, os, sys, threading
from postroom import Postroom, ResultTimeout

app = Postroom()

@app.task(queue="mail")
def send(who, n=0): ...

def listen():
    try:
        send.using(queue="nobody").enqueue("listener").result(0.1)
    except ResultTimeout:
        pass

def use(who):
    for n in range(20):
        send.enqueue(who, n)
    send.enqueue_many([(who,)] * 10)
    asyncio.run(send.aenqueue(who))
    listen()

use("before")        # the master has connections, and a thread that listens
children = []
for number in range(3):
    pid = os.fork()
    if not pid:
        try:
            use(f"child-{number}")
            thread = threading.Thread(target=use, args=(f"child-{number}",))
            thread.start(); thread.join()
            os._exit(0)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    children.append(pid)
use("after")         # while the children do the same
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
use("at last")
print(codes)
"""


def test_a_preloaded_app_may_be_forked_after_its_first_use(program: Program, client: Any) -> None:
    program.write("web.py", PRELOADED)
    run = program.run("-W", "error::ResourceWarning", "web.py")
    assert (run.returncode, run.stdout) == (0, "[0, 0, 0]\n"), run.stderr
    assert run.stderr == ""
    jobs = client.lrange("rq:queue:mail", 0, -1)
    assert len(jobs) == len(set(jobs)) == 31 * (3 + 2 * 3)
    by_whom = [client.hget(f"rq:job:{job_id.decode()}", "data").split(b'"')[3].decode() for job_id in jobs]
    for who, times in {"before": 1, "after": 1, "at last": 1, "child-0": 2, "child-1": 2, "child-2": 2}.items():
        assert by_whom.count(who) == 31 * times


FORKED_WAITER = """
import os, sys, threading
from postroom import Postroom

app = Postroom()
jobs = [app.enqueue("double", n, queue="q") for n in range(2)]
waiting = threading.Thread(target=lambda: print(jobs[0].result(20), flush=True))
waiting.start()      # the master's listener waits while it forks
pid = os.fork()
if not pid:
    print(jobs[1].result(20), flush=True)
    os._exit(0)
print("forked", flush=True)
waiting.join()
os.waitpid(pid, 0)
"""


def test_master_and_child_wait_for_results_at_once(app: Postroom, program: Program) -> None:
    @app.task(name="double", queue="q")
    def double(number: int) -> int:
        return 2 * number

    program.write("web.py", FORKED_WAITER)
    process = program.start("web.py")
    process.says("forked")
    burst(app)
    assert process.wait() == 0
    assert sorted(process.log.split()) == ["0", "2", "forked"]


@pytest.fixture
def send(app: Postroom) -> Any:
    """A declared task."""

    @app.task(name="send", queue="mail")
    def send(number: int) -> int:
        return number

    return send


def test_one_loop_after_another_leaves_no_connection_open(send: Any, client: Any) -> None:
    async def produce() -> None:
        await asyncio.gather(*(send.aenqueue(n) for n in range(40)))

    asyncio.run(produce())
    before, files = client.info("clients")["connected_clients"], len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        asyncio.run(produce())
    gc.collect()
    assert client.info("clients")["connected_clients"] <= before
    assert len(os.listdir("/proc/self/fd")) <= files
    assert client.llen("rq:queue:mail") == 21 * 40


def test_a_loop_that_its_owner_does_not_end_well_is_forgotten(send: Any, app: Postroom, client: Any) -> None:
    for _ in range(3):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(send.aenqueue(1))
        loop.run_until_complete(app.broker._async_pools[loop][0].disconnect())  # so that nothing warns
        loop.close()
    asyncio.run(send.aenqueue(1))
    assert client.llen("rq:queue:mail") == 4
    assert app.broker._async_pools == {}


def test_loops_in_several_threads_at_once(send: Any, client: Any) -> None:
    async def produce() -> list[str]:
        jobs = await asyncio.gather(*(send.aenqueue(n) for n in range(100)))
        return [job.id for job in jobs]

    with ThreadPoolExecutor(4) as pool:
        ids = [job_id for produced in pool.map(lambda _: asyncio.run(produce()), range(4)) for job_id in produced]
    assert sorted(ids) == sorted(job_id.decode() for job_id in client.lrange("rq:queue:mail", 0, -1))


def test_thousands_of_coroutines_take_turns(send: Any, client: Any) -> None:
    async def produce() -> None:
        await asyncio.gather(*(send.aenqueue(n) for n in range(3000)))

    asyncio.run(produce())
    assert client.llen("rq:queue:mail") == 3000


def test_a_coroutine_that_is_canceled_leaves_the_connection_clean(send: Any, client: Any) -> None:
    async def produce() -> list[int]:
        for _ in range(50):
            tasks = [asyncio.create_task(send.aenqueue(n)) for n in range(5)]
            await asyncio.sleep(0.001)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        jobs = [await send.aenqueue(n) for n in range(5)]
        return [await job.aresult(10) for job in jobs]

    with working(send.task.prepared.counter):
        assert asyncio.run(produce()) == [0, 1, 2, 3, 4]


def test_two_hundred_threads_at_once(send: Any, client: Any) -> None:
    with ThreadPoolExecutor(200) as pool:
        list(pool.map(send.enqueue, range(400)))
    assert client.llen("rq:queue:mail") == 400


def test_a_handler_may_enqueue_and_wait_in_its_own_loop(app: Postroom, client: Any) -> None:
    @app.task(name="leaf", queue="leaves")
    def leaf(number: int) -> int:
        return number

    @app.task(name="tree", queue="trees")
    async def tree(size: int) -> int:
        jobs = await asyncio.gather(*(leaf.aenqueue(n) for n in range(size)))
        return sum(await asyncio.gather(*(job.aresult(20) for job in jobs)))

    with working(app, "leaves"), working(app, "trees", concurrency=4):
        jobs = [tree.enqueue(10) for _ in range(8)]
        assert [job.result(20) for job in jobs] == [45] * 8
