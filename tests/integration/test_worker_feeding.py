"""What a worker takes, when and in which order: queues in theirs, several workers side by side, woken at once."""

import json
import signal
import time
from typing import Any

import pytest

from postroom import Postroom
from tests.integration.programs import Program, until, working
from tests.integration.test_worker_process import JOBS, enqueue, ran, stop


@pytest.fixture
def shop(program: Program) -> Program:
    """A user's `jobs.py`."""
    program.write("jobs.py", JOBS)
    return program


def test_queues_are_taken_in_the_order_of_their_naming(shop: Program, app: Postroom) -> None:
    for n in range(5):
        app.enqueue("jobs.work", n, queue="low")
        app.enqueue("jobs.work", 100 + n, queue="high")
    run = shop.run("-m", "postroom", "worker", "jobs:app", "high", "low", "-c", "1", "--burst")
    assert run.returncode == 0, run.stderr
    assert ran(shop) == [f"work-{n}" for n in (100, 101, 102, 103, 104, 0, 1, 2, 3, 4)]


def test_two_workers_share_a_queue_and_run_each_job_once(shop: Program, app: Postroom, client: Any) -> None:
    workers = [shop.worker("jobs:app", "-c", "4") for _ in range(2)]
    app.using("jobs.work", queue="q").enqueue_many([(n,) for n in range(2000)])
    until(lambda: client.zcard("rq:finished:q") == 2000, 60)
    stop(*workers)
    assert sorted(ran(shop)) == sorted(f"work-{n}" for n in range(2000))


def test_a_slow_job_does_not_keep_others_from_free_workers(shop: Program, app: Postroom) -> None:
    first = shop.worker("jobs:app", "-c", "1")
    for n in range(100):
        enqueue(app, "work", n)
    until(lambda: len(ran(shop)) == 100)  # it has seen short jobs: now it claims ahead
    slow = enqueue(app, "slow", 1, 4.0)
    behind = [enqueue(app, "work", 200 + n) for n in range(10)]
    second = shop.worker("jobs:app", "-c", "1")
    assert [job.result(3.5) for job in behind] == [200 + n for n in range(10)]
    assert slow.status() == "started"
    first.kill()
    stop(second)


def test_an_idle_worker_is_woken_at_once_also_by_a_bare_push(app: Postroom, client: Any) -> None:
    @app.task(name="double", queue="q")
    def double(number: int) -> int:
        return 2 * number

    with working(app):
        double.enqueue(1).result(20)
        time.sleep(0.3)
        began = time.monotonic()
        assert double.enqueue(21).result(20) == 42
        assert time.monotonic() - began < 0.5
        # As another language would: a hash and a push, nothing else.
        began = time.monotonic()
        client.hset("rq:job:bare", mapping={"data": '["double",null,[4],{}]', "p:type": "json"})
        client.rpush("rq:queue:q", "bare")
        until(lambda: app.job("bare").status() == "finished")
        assert time.monotonic() - began < 0.5
        assert app.job("bare").result(0) == 8


def test_an_idle_worker_asks_little_of_the_server(app: Postroom, client: Any) -> None:
    @app.task(name="double", queue="q")
    def double(number: int) -> int:
        return 2 * number

    with working(app):
        double.enqueue(1).result(20)
        before = client.info("stats")["total_commands_processed"]
        time.sleep(2)
        assert client.info("stats")["total_commands_processed"] - before < 2 * 60


@pytest.mark.parametrize(
    ("arguments", "environ", "threads"),
    [((), {}, 7), ((), {"POSTROOM_CONCURRENCY": "3"}, 3), (("-c", "2"), {"POSTROOM_CONCURRENCY": "3"}, 2)],
)
def test_flag_over_environment_over_pyproject(
    arguments: tuple[str, ...], environ: dict[str, str], threads: int, shop: Program
) -> None:
    shop.write("pyproject.toml", "[tool.postroom]\nconcurrency = 7\n")
    run = shop.run("-m", "postroom", "worker", "jobs:app", "--burst", *arguments, **environ)
    assert run.returncode == 0
    assert f"takes q, {threads} threads" in run.stderr


def test_tasks_of_included_modules_are_found_and_a_module_run_as_a_script_names_them_alike(
    shop: Program, app: Postroom, client: Any
) -> None:
    shop.write("shop/__init__.py", "")
    shop.write("shop/app.py", "from postroom import Postroom\napp = Postroom(include=['shop.mail', 'shop.eu.mail'])\n")
    task = "from shop.app import app\n@app.task(queue='mail')\ndef send(n):\n    return [__name__, n]\n"
    produce = "if __name__ == '__main__':\n    print(send.enqueue(1).id)\n"
    shop.write("shop/mail.py", f"import sys; sys.path.insert(0, '.')\n{task}{produce}")
    shop.write("shop/eu/__init__.py", "")
    shop.write("shop/eu/mail.py", f"{task}{produce}")
    ids = [shop.run(*way).stdout.strip() for way in (("shop/mail.py",), ("-m", "shop.mail"), ("-m", "shop.eu.mail"))]
    run = shop.run("-m", "postroom", "worker", "shop.app:app", "--burst")
    assert run.returncode == 0, run.stderr
    results = [app.job(job_id).result(0) for job_id in ids]
    assert results == [["shop.mail", 1], ["shop.mail", 1], ["shop.eu.mail", 1]]


def test_a_scheduler_of_its_own_does_the_duties(shop: Program, app: Postroom, client: Any) -> None:
    later = app.using("jobs.work", queue="q", delay=0.1).enqueue(1)
    scheduler = shop.start("-m", "postroom", "scheduler", "jobs:app")
    until(lambda: later.status() == "queued")
    assert client.lrange("rq:queue:q", 0, -1) == [later.id.encode()]
    scheduler.signal(signal.SIGTERM)
    assert scheduler.wait() == 0
    assert scheduler.log == ""


def test_info_counts_jobs_and_hides_the_password(shop: Program, app: Postroom) -> None:
    empty = shop.run("-m", "postroom", "info")
    assert "No queue on" in empty.stdout
    enqueue(app, "work", 1)
    app.using("jobs.work", queue="mail", delay=60).enqueue(1)
    enqueue(app, "nosuch")
    assert shop.run("-m", "postroom", "worker", "jobs:app", "--burst").returncode == 0
    told = json.loads(shop.run("-m", "postroom", "info", "--json").stdout)
    assert {queue["name"]: {k: v for k, v in queue.items() if v and k != "name"} for queue in told["queues"]} == {
        "mail": {"scheduled": 1},
        "q": {"finished": 1, "failed": 1},
    }
    url = shop.url.replace("unix://", "unix://default:secret@")
    table = shop.run("-m", "postroom", "info", "--url", url, COLUMNS="200")
    assert "secret" not in table.stdout + table.stderr


def test_another_prefix_is_another_world(shop: Program, client: Any) -> None:
    shop.write(
        "both.py",
        "import jobs\nfrom postroom.workers.local import LocalWorker\n"
        "job, later = jobs.work.enqueue(7), jobs.work.using(delay=60).enqueue(8)\n"
        "LocalWorker(jobs.app, burst=True).run()\nprint(job.result(0), later.status())\n",
    )
    run = shop.run("both.py", RQ_KEY_PREFIX="{shop}")
    assert run.stdout == "7 scheduled\n", run.stderr
    assert all(key.startswith((b"{shop}:", b"postroom:{shop}:")) for key in client.scan_iter())
