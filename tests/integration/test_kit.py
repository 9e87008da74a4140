"""The testing kit on a real server, and the plugin as users' tests know it."""

from pathlib import Path
from typing import Any

import pytest
from tenacity import stop_after_attempt, wait_fixed

from postroom import Burial, JobFailed, Postroom, Retry, current_job
from tests.integration.programs import Program
from tests.servers import Server

CHARGE = """
from pathlib import Path

import redis
from contextlib import suppress
from postroom import DuplicateJob, Postroom, current_job

app = Postroom("redis://127.0.0.1:1")

@app.task(queue="mail")
def receipt(order: int) -> None: ...

@app.task
def careful(order: int, folder: str, url: str) -> None:
    with redis.Redis.from_url(url) as store:
        store.sadd("charged", order)
    (Path(folder) / current_job.idempotency_key).write_text("charged")
    with suppress(DuplicateJob):
        receipt.using(job_id=f"receipt-{order}").enqueue(order)

@app.task
def careless(folder: str) -> None:
    with (Path(folder) / "ledger").open("a") as ledger:
        ledger.write("charged ")

@app.task
def counting(url: str) -> None:
    with redis.Redis.from_url(url) as store:
        store.incr("charged")

@app.task
def spamming() -> None:
    receipt.enqueue(1)
"""


MARKED = "@pytest.mark.crashpoints"


def kit_program(program: Program, test: str) -> str:
    """What pytest says of a user's test."""
    program.write("shop.py", CHARGE)
    program.write("test_shop.py", f"import pytest, redis, shop\nfrom shop import app\n\n{MARKED}\n{test}")
    ran = program.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--strict-markers")
    return ran.stdout + ran.stderr


def test_drain_runs_what_is_queued_and_what_that_enqueues(app: Postroom, server: Server) -> None:
    told: list[Any] = []

    @app.task(name="leaf", queue="other")
    def leaf(number: int) -> None:
        told.append((number, current_job.attempt))

    @app.task(name="root")
    async def root() -> None:
        await leaf.aenqueue(1)
        leaf.using(delay=3600).enqueue(2)

    with app.testing("server", url=server.url) as kit:
        job = root.enqueue()
        kit.drain()
        assert (told, job.status()) == ([(1, 1)], "finished")
        kit.assert_enqueued(leaf, times=2)
        kit.drain(with_scheduled=True)
        assert told == [(1, 1), (2, 1)]
        assert kit.broker.client().zcard(app.keys.leases()) == 0, "it has resigned"


def test_drain_raises_where_a_job_is_dead_and_tells_hooks(app: Postroom) -> None:
    dead: list[str] = []

    @app.task(name="flaky", retry=Retry(stop=stop_after_attempt(3), wait=wait_fixed(60)))
    def flaky() -> None:
        raise ConnectionError(f"attempt {current_job.attempt}")

    @app.on_dead(name="tell")
    def tell(burial: Burial) -> None:
        dead.append(burial.id)

    with app.testing("server") as kit:
        job = flaky.enqueue()
        kit.drain()
        assert job.status() == "scheduled"
        with pytest.raises(JobFailed, match="attempt 3"):
            kit.drain(with_scheduled=True)
        kit.drain()
        assert dead == [job.id]


def test_a_server_of_its_own_ends_with_the_context(app: Postroom) -> None:
    with app.testing("server", raises=False) as kit:
        folder = Path(kit.broker.url.removeprefix("unix://")).parent
        assert folder.is_dir()
        kit.drain()
    assert not folder.exists()


def test_crashpoints_passes_a_task_whose_effects_happen_once(program: Program) -> None:
    said = kit_program(
        program,
        """
def test_it(tmp_path, postroom_url):
    with open("runs", "a") as runs:
        runs.write("x")
    with app.testing("server", url=postroom_url) as kit:
        shop.careful.enqueue(7, str(tmp_path), postroom_url)
        kit.drain()
    assert len(list(tmp_path.iterdir())) == 1
    with redis.Redis.from_url(postroom_url) as store:
        assert store.scard("charged") == 1
""",
    )
    assert "1 passed" in said, said
    runs = len((program.folder / "runs").read_text())
    assert runs > 20, "undisturbed twice, and before and after each of ten steps at least"
    assert runs % 2 == 0


@pytest.mark.parametrize(
    ("body", "why", "where"),
    [
        (
            "shop.careless.enqueue(str(tmp_path)); kit.drain()\n"
            "        assert (tmp_path / 'ledger').read_text() == 'charged '",
            "charged charged",
            "killed before complete",
        ),
        (
            "shop.counting.enqueue(postroom_url); kit.drain()\n"
            "        assert redis.Redis.from_url(postroom_url).get('charged') == b'1'",
            "b'2' == b'1'",
            "killed after INCRBY",
        ),
        ("shop.spamming.enqueue(); kit.drain()", "1 more: shop.receipt in mail, finished", "killed after enqueue"),
    ],
    ids=["file", "redis", "job"],
)
def test_crashpoints_fails_a_task_whose_effects_happen_twice(program: Program, body: str, why: str, where: str) -> None:
    said = kit_program(
        program,
        "def test_it(tmp_path, postroom_url):\n"
        f"    with app.testing('server', url=postroom_url) as kit:\n        {body}\n",
    )
    assert "1 failed" in said, said
    assert why in said, said
    assert where in said, said


def test_crashpoints_of_a_test_that_runs_no_job_fails(program: Program) -> None:
    said = kit_program(program, "def test_it():\n    with app.testing():\n        shop.receipt.enqueue(1)\n")
    assert "1 failed" in said, said
    assert "no job was run" in said, said
