"""Metrics and health of real pools, read by Prometheus's own parser."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from postroom import Postroom
from postroom.workers.tally import BOUNDS
from tests.integration.metrics import answers, free_port, get, scrape, value
from tests.integration.programs import Command, Process, Program, children, until
from tests.servers import Server

SHOP = """
import os, signal, sys, time
from tenacity import stop_after_attempt, wait_none
from postroom import Postroom, Retry

app = Postroom()

@app.task(queue="mail", retry=Retry(stop=stop_after_attempt(2), wait=wait_none()))
def send(n, fail=False):
    if fail:
        raise ConnectionError("no")
    return n

@app.task(queue="mail")
async def later(n):
    return n

@app.task(queue="mail", isolate=True)
def alone(n):
    return n

@app.task(queue="slow")
def slow(seconds):
    time.sleep(seconds)

@app.task(queue="slow", retry=None)
def imported():
    return "prometheus_client" in sys.modules

@app.task(queue="mail")
def crash():
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def shop(program: Program) -> Program:
    """The shop's folder."""
    program.write("shop.py", SHOP)
    return program


@pytest.fixture
def port() -> int:
    """A free one."""
    return free_port()


def start(shop: Program, port: int, *arguments: str, **environ: str) -> Process:
    """A worker with metrics, all of whose processes have joined."""
    worker = shop.start("-m", "postroom", "worker", "shop:app", "--metrics-port", str(port), *arguments, **environ)
    until(lambda: answers(port) and get(port, "/readyz")[0] == 200)
    return worker


def outcomes(port: int, task: str, queue: str = "mail") -> dict[str, float]:
    """How many jobs of a task came to what; those to which none did are left out."""
    found = scrape(port).get("postroom_jobs_total", {})
    return {
        dict(labels)["outcome"]: count
        for labels, count in found.items()
        if count and dict(labels)["task"] == task and dict(labels)["queue"] == queue
    }


def test_what_became_of_jobs_by_every_executor(shop: Program, port: int, app: Postroom) -> None:
    start(shop, port, "-p", "2")
    many = app.using("shop.send", queue="mail").enqueue_many([(n,) for n in range(300)])
    failing = app.enqueue("shop.send", 0, True, queue="mail")
    others = [app.enqueue(f"shop.{task}", 1, queue="mail") for task in ("later", "alone")]
    unknown = [app.enqueue(f"nobody.{n}", queue="mail") for n in range(3)]
    assert [app.job(job_id).result(20) for job_id in many] == list(range(300))
    assert [job.result(20) for job in others] == [1, 1]
    until(lambda: all(job.status() == "failed" for job in (failing, *unknown)))
    until(lambda: outcomes(port, "shop.send") == {"completed": 300, "retried": 1, "buried": 1})
    until(lambda: outcomes(port, "shop.later") == outcomes(port, "shop.alone") == {"completed": 1})
    until(lambda: outcomes(port, "other") == {"buried": 3})
    found = scrape(port)
    for name in ("duration", "wait"):
        buckets = found[f"postroom_job_{name}_seconds_bucket"]
        counts = [count for labels, count in buckets.items() if dict(labels)["task"] == "shop.send"]
        assert len(counts) == len(BOUNDS) + 1
        assert counts == sorted(counts)
        labels = (("queue", "mail"), ("task", "shop.send"))
        assert found[f"postroom_job_{name}_seconds_count"][labels] == counts[-1] == 302
        assert 0 < found[f"postroom_job_{name}_seconds_sum"][labels] < 302 * 20
    assert found["postroom_queue_dead"][("queue", "mail"),] == 4
    assert found["postroom_claims_total"][()] >= 1
    assert found["postroom_processes"][()] == found["postroom_workers"][()] == 2
    assert found["postroom_processes_resident_memory_bytes"][()] > 10_000_000
    every = {value for family in found.values() for labels in family for _, value in labels}
    assert not any(job_id in every for job_id in (*many, failing.id))
    assert not any("nobody" in label for label in every)


def test_how_the_queues_stand(shop: Program, port: int, app: Postroom, client: redis.Redis) -> None:
    start(shop, port, "slow", "-c", "1")
    app.enqueue("shop.slow", 3, queue="slow")
    until(lambda: value(port, "postroom_jobs_in_flight") == 1)
    app.enqueue("shop.send", 1, queue="mail")  # which this worker does not take
    app.enqueue("shop.send", 1, queue="mail", delay=600)
    for name in ("undeclared", "undeclared-2"):
        app.enqueue("shop.send", 1, queue=name)
    app.queue("mail").pause()
    found = scrape(port)
    assert found["postroom_queue_depth"] == {(("queue", "mail"),): 1, (("queue", "slow"),): 0, (("queue", "other"),): 2}
    assert found["postroom_queue_scheduled"][("queue", "mail"),] == 1
    assert found["postroom_queue_running"][("queue", "slow"),] == 1
    assert found["postroom_queue_paused"] == {
        (("queue", "mail"),): 1,
        (("queue", "slow"),): 0,
        (("queue", "other"),): 0,
    }
    until(lambda: (value(port, "postroom_queue_oldest_age_seconds", queue="mail") or 0) > 0.2)
    assert value(port, "postroom_queue_oldest_age_seconds", queue="slow") == 0


def test_the_numbers_of_a_dead_process_stay(shop: Program, port: int, app: Postroom) -> None:
    worker = start(shop, port)
    assert app.enqueue("shop.send", 1, queue="mail").result(20) == 1
    until(lambda: outcomes(port, "shop.send") == {"completed": 1})
    (pid,) = children(worker.pid)
    os.kill(pid, signal.SIGKILL)
    until(lambda: value(port, "postroom_process_restarts_total") == 1)
    assert value(port, "postroom_process_deaths_total") == 1
    assert app.enqueue("shop.send", 2, queue="mail").result(20) == 2
    until(lambda: outcomes(port, "shop.send") == {"completed": 2})
    until(lambda: get(port, "/readyz")[0] == 200)


def test_the_jobs_of_a_dead_process_are_recovered(shop: Program, port: int, app: Postroom) -> None:
    worker = start(shop, port)
    job = app.enqueue("shop.slow", 2, queue="slow")
    until(lambda: value(port, "postroom_jobs_in_flight") == 1)
    os.kill(children(worker.pid)[0], signal.SIGKILL)
    until(lambda: value(port, "postroom_jobs_recovered_total") == 1)
    job.result(20)
    until(lambda: outcomes(port, "shop.slow", "slow") == {"completed": 1})


def test_prometheus_client_is_the_pools_alone(shop: Program, port: int, app: Postroom) -> None:
    start(shop, port)
    assert app.enqueue("shop.imported", queue="slow").result(20) is False


def test_a_long_job_is_well_and_a_pool_that_stops_is_not_ready(shop: Program, port: int, app: Postroom) -> None:
    worker = start(shop, port, "-c", "1")
    app.enqueue("shop.slow", 4, queue="slow")
    until(lambda: value(port, "postroom_jobs_in_flight") == 1)
    assert get(port, "/healthz")[0] == get(port, "/readyz")[0] == 200
    worker.signal(signal.SIGTERM)
    status, _, text = until(lambda: (found := get(port, "/readyz"))[0] == 503 and found)
    assert (status, text) == (503, "it is stopping\n")
    assert get(port, "/healthz")[0] == 200
    assert worker.wait() == 0
    assert not answers(port)


def test_a_process_that_stands_still_is_not_ready(shop: Program, port: int) -> None:
    worker = start(shop, port, "-p", "2")
    stopped = children(worker.pid)[0]
    os.kill(stopped, signal.SIGSTOP)
    try:
        status, _, text = until(lambda: (found := get(port, "/readyz"))[0] == 503 and found)
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert (status, text) == (503, "1 of 2 worker processes have joined\n")
    until(lambda: get(port, "/readyz")[0] == 200)


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that may be killed."""
    with Server() as server:
        yield server


def test_the_server_is_away(tmp_path: Path, own_server: Server, port: int) -> None:
    shop = Program(tmp_path, own_server.url)
    try:
        shop.write("shop.py", SHOP)
        start(shop, port, POSTROOM_DEADLINE="0.3")
        assert value(port, "postroom_server_up") == 1
        own_server.kill()
        until(lambda: get(port, "/readyz")[0] == 503)
        assert get(port, "/healthz")[0] == 200
        found = scrape(port)
        assert found["postroom_server_up"][()] == 0
        assert "postroom_queue_depth" not in found, "nothing is told of what is not known"
        assert "postroom_workers" not in found
        until(lambda: value(port, "postroom_outages_total") == 1)
        own_server.start()
        until(lambda: get(port, "/readyz")[0] == 200)
        assert value(port, "postroom_outages_total") == 1
    finally:
        shop.close()


def test_check(shop: Program, port: int, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    said = command("worker", "--check", "--metrics-port", str(port))
    assert said.code == 1
    assert f"http://127.0.0.1:{port}/healthz does not answer" in said.err
    start(shop, port)
    assert command("worker", "--check", "--metrics-port", str(port)).code == 0
    monkeypatch.setenv("POSTROOM_METRICS_PORT", str(port))
    monkeypatch.setenv("POSTROOM_METRICS_HOST", "0.0.0.0")  # noqa: S104 - where it is asked, not where it listens
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert command("worker", "--check").code == 0


def test_check_without_a_port_is_wrong_usage(command: Command) -> None:
    said = command("worker", "--check")
    assert said.code == 2
    assert "--metrics-port" in said.err


def test_a_port_that_is_taken(shop: Program) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = str(taken.getsockname()[1])
        done = shop.run("-m", "postroom", "worker", "shop:app", "--metrics-port", number)
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{number}" in done.stderr


def test_a_scheduler_tells_of_the_server(shop: Program, port: int, app: Postroom) -> None:
    app.enqueue("shop.send", 1, queue="mail")
    shop.start("-m", "postroom", "scheduler", "shop:app", POSTROOM_METRICS_PORT=str(port))
    until(lambda: answers(port) and get(port, "/readyz")[0] == 200)
    found = scrape(port)
    assert found["postroom_queue_depth"][("queue", "mail"),] == 1
    assert found["postroom_workers"][()] == 0
    assert "postroom_jobs_total" not in found
    assert get(port, "/healthz")[0] == 200


def test_other_pages_and_openmetrics(shop: Program, port: int) -> None:
    start(shop, port)
    status, _, text = get(port, "/elsewhere")
    assert status == 404
    assert "/metrics" in text
    assert get(port, "/metrics")[1].startswith("text/plain")
    status, kind, text = get(port, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert (status, kind.partition(";")[0]) == (200, "application/openmetrics-text")
    assert text.endswith("# EOF\n")


def test_slow_clients_hold_nobody_up(shop: Program, port: int) -> None:
    start(shop, port)
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    try:
        assert get(port, "/healthz")[0] == 200
    finally:
        for one in clients:
            one.close()


@pytest.mark.parametrize("on", [False, True])
def test_only_with_the_flag_is_anything_imported(on: bool, shop: Program, port: int, client: redis.Redis) -> None:
    flags = ["--metrics-port", str(port)] if on else []
    done = shop.run("-X", "importtime", "-m", "postroom", "worker", "shop:app", "--burst", *flags)
    assert done.returncode == 0, done.stderr
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "postroom.workers.pool" in imported
    for module in ("prometheus_client", "http.server"):
        assert (module in imported) is on


@pytest.mark.parametrize(
    ("module", "environ", "extra"),
    [
        ("prometheus_client", {"POSTROOM_METRICS_PORT": "1"}, "postroom[metrics]"),
        ("opentelemetry", {"POSTROOM_OTEL": "1"}, "postroom[otel]"),
    ],
)
def test_what_is_not_installed_is_named(module: str, environ: dict[str, str], extra: str, shop: Program) -> None:
    shop.write(f"{module}.py", f"raise ModuleNotFoundError('none', name={module!r})")
    done = shop.run("-m", "postroom", "worker", "shop:app", "--burst", **environ)
    assert done.returncode == 2
    assert f"need {module}" in done.stderr.replace("needs", "need")
    assert f"pip install '{extra}'" in done.stderr


def test_without_an_app_there_is_nothing_to_do(command: Command) -> None:
    said = command("worker")
    assert said.code == 2
    assert "MODULE:app" in said.err
