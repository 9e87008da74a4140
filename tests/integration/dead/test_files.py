"""`postroom dead export` and `import`."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.integration.dead.conftest import Dead, Shop


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where dead letters go."""
    return tmp_path / "dead.jsonl"


def test_what_was_exported_and_purged_is_imported_and_runs(dead: Dead, shop: Shop, client: Any, file: Path) -> None:
    one, two = shop.kill(1, 2)
    client.hset(f"rq:job:{two}", "extra", b"\xff\x00")
    before = {job_id: client.hgetall(f"rq:job:{job_id}") for job_id in (one, two)}
    scores = client.zrange("rq:failed:mail", 0, -1, withscores=True)
    assert dead("export", "-o", str(file), "--json").json == {"count": 2, "file": str(file)}
    client.flushall()

    said = dead("import", str(file), "--yes")

    assert (said.code, "Import 2 dead letters:" in said.out) == (0, True)
    assert "Imported 2 dead letters." in said.out
    for job_id, stored in before.items():
        now = client.hgetall(f"rq:job:{job_id}")
        assert now.pop(b"p:imported")
        assert now == {name: value for name, value in stored.items() if name != b"p:token"}
    assert client.zrange("rq:failed:mail", 0, -1, withscores=True) == scores
    assert client.ttl(f"rq:job:{one}") > 86_400 * 364
    shop.broken = False
    dead("redrive", "--all", "--yes")
    shop.work()
    assert shop.done == [1, 2]


def test_to_stdout_and_what_matches(dead: Dead, shop: Shop) -> None:
    one, _ = shop.kill(1, 2)
    said = dead("export", "--error", "order 1")
    assert [line["id"] for line in said.lines] == [one]
    assert said.err.endswith("Exported 1 dead letter.\n")
    assert "secrets, too" in said.err
    assert [line["id"] for line in dead("export", one).lines] == [one]
    assert dead("export", "--task", "nobody's").err == "No dead letter matches.\n"
    assert dead("export", "unknown").code == 1


def test_a_broken_line_imports_nothing(dead: Dead, shop: Shop, client: Any, file: Path) -> None:
    shop.kill(1, 2)
    dead("export", "-o", str(file))
    client.flushall()
    good = file.read_text()
    document = json.loads(good.splitlines()[0])
    broken = {
        "not JSON": '{"format": 1',
        "an id that is none": json.dumps({**document, "id": "a:b"}),
        "another status": json.dumps({**document, "fields": {**document["fields"], "status": "queued"}}),
        "another format": json.dumps({**document, "format": 2}),
        "no queue": json.dumps({name: value for name, value in document.items() if name != "queue"}),
        "no base64": json.dumps({**document, "binary": {"data": "?"}}),
        "no date": json.dumps({**document, "fields": {**document["fields"], "ended_at": "yesterday"}}),
        "no expiry": json.dumps({**document, "expiry": -5}),
        "a queue's name that is none": json.dumps({**document, "queue": ""}),
    }
    for name, line in broken.items():
        file.write_text(f"{good}\n{line}\n{good}")
        said = dead("import", str(file), "--yes")
        assert (name, said.code) == (name, 1)
        assert "line 4 is broken: " in said.err
        assert "Nothing was imported." in said.err
    assert client.keys("*") == []


def test_an_id_that_is_taken_is_left(dead: Dead, shop: Shop, client: Any, file: Path) -> None:
    one, two, three = shop.kill(1, 2, 3)
    dead("export", "-o", str(file))
    dead("purge", one)
    shop.app.job(one).delete()
    dead("redrive", two)

    said = dead("import", str(file), "--yes")

    assert said.code == 0
    assert "Imported 1 dead letter." in said.out
    assert "1 not: the id is a dead letter's" in said.out
    assert "1 not: the job is queued" in said.out
    assert {one, three} == {member.decode() for member in client.zrange("rq:failed:mail", 0, -1)}
    assert two in said.out


def test_a_line_that_was_mended_takes_the_place_and_undo_brings_the_old_one_back(
    dead: Dead, shop: Shop, client: Any, file: Path
) -> None:
    (job_id,) = shop.kill(1)
    before = client.hgetall(f"rq:job:{job_id}")
    dead("export", "-o", str(file))
    document = json.loads(file.read_text())
    document["fields"]["data"] = '["shop.send",null,[77],{}]'
    file.write_text(json.dumps(document))

    assert dead("import", str(file), "--yes", "--json").json["left"] == {"failed": 1}
    assert dead("import", str(file), "--yes", "--replace", "--json").json == {"verb": "import", "count": 1}
    assert dead("show", job_id, "--json", "--arguments").json["arguments"]["args"] == [77]
    assert "Undone for 1 dead letter" in dead("undo", "--yes").out
    assert client.hgetall(f"rq:job:{job_id}") == before

    dead("import", str(file), "--yes", "--replace")
    shop.broken = False
    dead("redrive", job_id)
    shop.work()
    assert shop.done == [77]


def test_undo_of_an_import(dead: Dead, shop: Shop, client: Any, file: Path) -> None:
    shop.kill(1, 2, 3)
    dead("export", "-o", str(file))
    client.flushall()
    dead("import", str(file), "--yes")
    client.delete("rq:queues:nothing")
    dead_ids = client.zrange("rq:failed:mail", 0, -1)
    # One of them is redriven by RQ's tools
    client.zrem("rq:failed:mail", dead_ids[0])
    client.hset(f"rq:job:{dead_ids[0].decode()}", "status", "queued")

    said = dead("undo", "--yes")

    assert "Undone for 2 dead letters." in said.out
    assert "1 not: " in said.out
    assert client.keys("rq:job:*") == [b"rq:job:" + dead_ids[0]]


def test_from_stdin(dead: Dead, shop: Shop, client: Any, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (job_id,) = shop.kill(1)
    dead("export", "-o", str(file))
    client.flushall()
    stdin = SimpleNamespace(buffer=io.BytesIO(file.read_bytes()), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)
    assert dead("import", "-", "--yes", "--json").json == {"verb": "import", "count": 1}
    assert client.zrange("rq:failed:mail", 0, -1) == [job_id.encode()]


def test_one_whose_time_is_over_is_kept_anew(dead: Dead, shop: Shop, client: Any, file: Path) -> None:
    (job_id,) = shop.kill(1)
    dead("export", "-o", str(file))
    client.flushall()
    file.write_text(json.dumps({**json.loads(file.read_text()), "expiry": 1000}))
    dead("import", str(file), "--yes")
    assert client.ttl(f"rq:job:{job_id}") > 86_400 * 364


def test_files_that_cannot_be_opened(dead: Dead, tmp_path: Path) -> None:
    said = dead("import", str(tmp_path / "none"), "--yes")
    assert (said.code, "cannot be read" in said.err) == (2, True)
    said = dead("export", "-o", str(tmp_path / "no" / "folder"))
    assert (said.code, "cannot be written" in said.err) == (2, True)


def test_an_empty_file(dead: Dead, file: Path) -> None:
    file.write_text("\n")
    said = dead("import", str(file), "--yes")
    assert (said.code, "Imported 0 dead letters." in said.out) == (0, True)
