"""A process that was given up while it lives: it notices, joins again, and goes on."""

import threading
from typing import Any

from postroom import Postroom
from postroom.jobs import calls
from tests.integration.programs import until, working
from tests.servers import Server


def test_given_up_while_idle_it_takes_the_next_job(app: Postroom, client: Any) -> None:
    """Its claim finds that it is gone, long before the keeper could tell it (the lease is the default one)."""

    @app.task(name="work", queue="q")
    def work() -> int:
        return 7

    with working(app, "q", duties=False) as worker:
        until(lambda: client.zscore("postroom:leases", worker.process))
        app.broker.run(calls.recover(app.keys, worker.process, resigned=True))
        assert not client.exists("postroom:leases")
        assert app.enqueue("work").result(1.5) == 7
        assert client.zscore("postroom:leases", worker.process)
    assert not client.exists("postroom:leases")


def test_given_up_while_it_runs_it_gives_back_what_it_has_not_begun(server: Server, client: Any) -> None:
    """The keeper tells it: its thread is busy, so that it makes no claim. The running job is others' by now, and runs
    again; what waited behind it runs once.
    """
    app = Postroom(server.url, lease=1.2)
    began, free = [], threading.Event()

    @app.task(name="work", queue="q")
    def work(n: int) -> int:
        began.append(n)
        if n == 0:
            free.wait(10)
        return n

    with working(app, "q", duties=False, concurrency=1) as worker:
        jobs = [app.enqueue("work", n) for n in range(4)]
        until(lambda: began)
        until(lambda: client.zscore("postroom:leases", worker.process))
        app.broker.run(calls.recover(app.keys, worker.process, resigned=True))
        until(lambda: client.zscore("postroom:leases", worker.process), 2)
        free.set()
        assert [job.result(5) for job in jobs] == [0, 1, 2, 3]
    assert sorted(began) == [0, 0, 1, 2, 3]
    assert not client.exists("postroom:leases")
    app.broker.close()
