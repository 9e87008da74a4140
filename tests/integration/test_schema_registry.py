"""The registry of schemas, of Avro and of Protobuf: on the server, in the file of dead letters, in the lock."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from postroom import JobFailed, Postroom
from postroom.jobs import avro, protobuf
from postroom.jobs.codecs import CODECS
from postroom.jobs.events import task_of
from postroom.monitor import look
from tests.integration.programs import Command, Program, burst

SHOP = """
from postroom import Postroom
app = Postroom()

@app.task(name="shop.bill", codec="CODEC")
def bill(order: int{}) -> int:
    return order
"""


MODULES: dict[str, Any] = {"avro": avro, "protobuf": protobuf}
BROKEN = {"avro": '"string"', "protobuf": '{"name":"a.proto","messageType":[{"name":"Call"}]}'}


@pytest.fixture(params=MODULES)
def codec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whose schemas; this process has met none yet."""
    for module in MODULES.values():
        monkeypatch.setattr(module, "_known", {})
    found: str = request.param
    return found


@pytest.fixture
def forget(codec: str) -> Callable[[], None]:
    """Another process would begin so."""
    clear: Callable[[], None] = MODULES[codec]._known.clear
    return clear


@pytest.fixture
def shop(codec: str) -> str:
    return SHOP.replace("CODEC", codec)


@pytest.fixture
def bill(app: Postroom, codec: str) -> Any:
    @app.task(name="shop.bill", codec=codec)
    def made(order: int) -> int:
        return order

    return app.tasks["shop.bill"].prepared


def test_a_schema_is_kept_with_the_job_and_looked_up_once(
    app: Postroom, bill: Any, client: Any, codec: str, forget: Callable[[], None]
) -> None:
    jobs = [bill.enqueue(1), *map(app.job, bill.enqueue_many([(2,), (3,)]))]
    fingerprint, text = bill.codec.schema
    assert client.hgetall("postroom:schemas") == {fingerprint.encode(): text.encode()}
    forget()
    client.config_resetstat()
    burst(app)
    assert [job.result(5) for job in jobs] == [1, 2, 3]
    assert client.info("commandstats")["cmdstat_hget"]["calls"] >= 1
    assert list(MODULES[codec]._known) == [bytes.fromhex(fingerprint)]


def test_without_its_schema_a_job_is_a_dead_letter_that_says_which(
    app: Postroom, bill: Any, client: Any, codec: str, forget: Callable[[], None]
) -> None:
    job = bill.enqueue(1)
    client.delete("postroom:schemas")
    forget()
    burst(app)
    with pytest.raises(JobFailed, match=f"its schema {bill.codec.schema[0]} is not in postroom:schemas"):
        job.result(5)
    client.hset("postroom:schemas", bill.codec.schema[0], BROKEN[codec])
    job = bill.enqueue(1)
    forget()
    burst(app)
    with pytest.raises(JobFailed, match=f"a schema of {CODECS[codec].title} cannot be used"):
        job.result(5)


def test_the_task_is_told_where_the_schema_is_not_known(
    bill: Any, client: Any, codec: str, forget: Callable[[], None]
) -> None:
    job = bill.enqueue(1)
    forget()
    stored = dict.fromkeys(("p:task", "success_callback_name")) | {
        "data": client.hget(f"rq:job:{job.id}", "data"),
        "p:type": codec.encode(),
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
    program: Program, client: Any, app: Postroom, codec: str, shop: str
) -> None:
    program.write("shop.py", shop.format(""))
    assert program.run("-m", "postroom", "check", "shop:app", "--update").returncode == 0
    job_id = program.run("-c", "import shop; print(shop.bill.enqueue(5).id)").stdout.strip()
    program.write("shop.py", shop.format(", note: str = ''"))
    mode = ("--mode", "shop.bill=BACKWARD_TRANSITIVE")
    said = program.run("-m", "postroom", "check", "shop:app", *mode)
    assert (said.returncode, f"1 schemas of {CODECS[codec].title} are not in schemas.lock.json yet" in said.stderr) == (
        1,
        True,
    )
    assert program.run("-m", "postroom", "check", "shop:app", *mode, "--update").returncode == 0
    locked = json.loads((program.folder / "schemas.lock.json").read_text())[codec]
    assert len(locked) == 2
    client.delete("postroom:schemas")
    run = program.run("-m", "postroom", "worker", "shop:app", "--burst")
    assert run.returncode == 0, run.stderr
    assert app.job(job_id).result(0) == 5


def test_an_app_that_uses_neither_imports_neither(program: Program) -> None:
    program.write("shop.py", SHOP.replace("CODEC", "msgpack").format(""))
    code = "import shop, sys; shop.bill.enqueue(5); print({'fastavro', 'google.protobuf'} & {*sys.modules})"
    assert program.run("-c", code).stdout == "set()\n"


def test_numbers_of_fields_are_kept_by_the_lock_and_those_of_removed_ones_reserved(program: Program) -> None:
    """In every process beside the lock, producers included; without it they are the order of declaration."""
    shop = SHOP.replace("CODEC", "protobuf")
    show = (
        "import json, shop; found = json.loads(shop.bill.task.prepared.codec.schema[1])['messageType'];"
        "[(part)] = [one for one in found if one['name'] == 'ByName'];"
        "print([(one['name'], one['number']) for one in part['field']], part.get('reservedName'))"
    )
    mode = ("--mode", "shop.bill=NONE", "--update")
    for parameters, told in (
        (", note: str = '', more: int = 1", "[('order', 1), ('note', 2), ('more', 3)] None"),
        (", new: int = 2, more: int = 1", "[('order', 1), ('new', 4), ('more', 3)] ['note']"),
        (", more: int = 1", "[('order', 1), ('more', 3)] ['note', 'new']"),
        (", last: int = 1, note: str = ''", "[('order', 1), ('last', 5), ('note', 2)] ['more', 'new']"),
    ):
        program.write("shop.py", shop.format(parameters))
        assert program.run("-m", "postroom", "check", "shop:app", *mode).returncode == 0
        assert program.run("-c", show).stdout.strip() == told
    (program.folder / "schemas.lock.json").unlink()
    assert program.run("-c", show).stdout.strip() == "[('order', 1), ('last', 2), ('note', 3)] None"
