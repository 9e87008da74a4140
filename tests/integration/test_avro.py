"""The registry of Avro's schemas: on the server, in the file of dead letters, in the lock."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from postroom import JobFailed, Postroom
from postroom.jobs import avro
from postroom.jobs.events import task_of
from postroom.monitor import look
from tests.integration.programs import Command, Program, burst

SHOP = """
from postroom import Postroom
app = Postroom()

@app.task(name="shop.bill", codec="avro")
def bill(order: int{}) -> int:
    return order
"""


@pytest.fixture(autouse=True)
def nothing_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has met no schema yet."""
    monkeypatch.setattr(avro, "_known", {})


@pytest.fixture
def forget() -> Callable[[], None]:
    """Another process would begin so."""
    return avro._known.clear


@pytest.fixture
def bill(app: Postroom) -> Any:
    @app.task(name="shop.bill", codec="avro")
    def made(order: int) -> int:
        return order

    return app.tasks["shop.bill"].prepared


def test_a_schema_is_kept_with_the_job_and_looked_up_once(
    app: Postroom, bill: Any, client: Any, forget: Callable[[], None]
) -> None:
    jobs = [bill.enqueue(1), *map(app.job, bill.enqueue_many([(2,), (3,)]))]
    fingerprint, text = bill.codec.schema
    assert client.hgetall("postroom:schemas") == {fingerprint.encode(): text.encode()}
    forget()
    client.config_resetstat()
    burst(app)
    assert [job.result(5) for job in jobs] == [1, 2, 3]
    assert client.info("commandstats")["cmdstat_hget"]["calls"] >= 1
    assert list(avro._known) == [bytes.fromhex(fingerprint)]


def test_without_its_schema_a_job_is_a_dead_letter_that_says_which(
    app: Postroom, bill: Any, client: Any, forget: Callable[[], None]
) -> None:
    job = bill.enqueue(1)
    client.delete("postroom:schemas")
    forget()
    burst(app)
    with pytest.raises(JobFailed, match=f"its schema {bill.codec.schema[0]} is not in postroom:schemas"):
        job.result(5)
    client.hset("postroom:schemas", bill.codec.schema[0], '"string"')
    job = bill.enqueue(1)
    forget()
    burst(app)
    with pytest.raises(JobFailed, match="a schema of Avro cannot be used"):
        job.result(5)


def test_the_task_is_told_where_the_schema_is_not_known(bill: Any, client: Any, forget: Callable[[], None]) -> None:
    job = bill.enqueue(1)
    forget()
    stored = dict.fromkeys(("p:task", "success_callback_name")) | {
        "data": client.hget(f"rq:job:{job.id}", "data"),
        "p:type": b"avro",
    }
    assert task_of(stored) == "shop.bill"
    assert look._task(stored) == "shop.bill"


def test_dead_letters_take_their_schema_along(
    app: Postroom, bill: Any, client: Any, forget: Callable[[], None], command: Command, tmp_path: Path
) -> None:
    app.tasks.clear()
    job = bill.enqueue(7)
    burst(app, "default")
    file = tmp_path / "dead.jsonl"
    command("dead", "export", "-o", str(file))
    client.flushall()
    command("dead", "import", str(file), "--yes")
    forget()
    shown = command("dead", "show", job.id, "--arguments", "--json").json
    assert (shown["task"], shown["cause"], shown["arguments"]["kwargs"]) == ("shop.bill", "unknown-task", {"order": 7})


def test_the_lock_has_the_schemas_and_workers_beside_it_need_no_server_for_them(
    program: Program, client: Any, app: Postroom
) -> None:
    program.write("shop.py", SHOP.format(""))
    assert program.run("-m", "postroom", "check", "shop:app", "--update").returncode == 0
    job_id = program.run("-c", "import shop; print(shop.bill.enqueue(5).id)").stdout.strip()
    program.write("shop.py", SHOP.format(", note: str = ''"))
    mode = ("--mode", "shop.bill=BACKWARD_TRANSITIVE")
    said = program.run("-m", "postroom", "check", "shop:app", *mode)
    assert (said.returncode, "1 schemas of Avro are not in schemas.lock.json yet" in said.stderr) == (1, True)
    assert program.run("-m", "postroom", "check", "shop:app", *mode, "--update").returncode == 0
    locked = json.loads((program.folder / "schemas.lock.json").read_text())["avro"]
    assert len(locked) == 2
    client.delete("postroom:schemas")
    run = program.run("-m", "postroom", "worker", "shop:app", "--burst")
    assert run.returncode == 0, run.stderr
    assert app.job(job_id).result(0) == 5


def test_an_app_that_does_not_use_it_does_not_import_it(program: Program) -> None:
    program.write("shop.py", SHOP.format("").replace('codec="avro"', 'codec="msgpack"'))
    code = "import shop, sys; shop.bill.enqueue(5); print('fastavro' in sys.modules)"
    assert program.run("-c", code).stdout == "False\n"
