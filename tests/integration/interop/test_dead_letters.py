"""Dead letters of RQ's own: seen, moved and brought back so that RQ's tools see the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from postroom import Postroom
from postroom.monitor.dead import DeadLetters, Filter
from postroom.monitor.dead.files import read
from tests.integration.interop import rq_side
from tests.integration.interop.conftest import RqProcess, Shop


@pytest.fixture
def failed(shop: Shop, rq: RqProcess) -> str:
    """A job of RQ's producer that failed under RQ's worker."""
    job_id = rq(rq_side.enqueue, "shop.fail", "no stock")
    shop.rq("worker", "--serializer", "json", "--burst")
    return str(job_id)


def test_what_rqs_worker_buried_is_seen(failed: str, app: Postroom) -> None:
    (row,) = DeadLetters(app).newest(Filter(task="shop.fail"), 10)
    assert (row.id, row.task, row.attempts) == (failed, "shop.fail", None)
    assert "no stock" in row.reason
    letter = DeadLetters(app).show(failed)
    assert "no stock" in letter.summary.reason
    assert "Traceback" in letter.traceback
    assert letter.why.startswith("It failed; what stopped it was not recorded")


def test_redriven_and_undone_rq_sees_the_same(failed: str, app: Postroom, shop: Shop, rq: RqProcess) -> None:
    before = rq(rq_side.look, failed)
    assert DeadLetters(app).redrive([failed]).count == 1
    assert rq(rq_side.look, failed)["status"] == "queued"
    assert rq(rq_side.registry, "failed") == []
    undone = DeadLetters(app).undo()
    assert undone is not None
    assert undone.count == 1
    after = rq(rq_side.look, failed)
    assert {**after, "enqueued_at": None} == {**before, "enqueued_at": None}
    assert rq(rq_side.registry, "failed") == [failed]
    assert "queue default 0, 0 executing, 0 finished, 1 failed" in shop.rq("info", "--raw", "--only-queues")


def test_redriven_it_runs_under_either_worker(failed: str, app: Postroom, shop: Shop, rq: RqProcess) -> None:
    for ours in (True, False):
        assert DeadLetters(app).redrive([failed]).count == 1
        shop.work() if ours else shop.rq("worker", "--serializer", "json", "--burst")
        assert rq(rq_side.look, failed)["status"] == "failed"
        assert rq(rq_side.registry, "failed") == [failed]


def test_purged_and_undone_rqs_requeue_works(failed: str, app: Postroom, client: Any, rq: RqProcess) -> None:
    assert DeadLetters(app).purge([failed]).count == 1
    assert rq(rq_side.registry, "failed") == []
    assert 0 < client.ttl(f"rq:results:{failed}") <= 900
    DeadLetters(app).undo()
    assert client.ttl(f"rq:results:{failed}") > 86_400 * 364
    rq(rq_side.requeue, failed)
    assert client.lrange("rq:queue:default", 0, -1) == [failed.encode()]
    assert rq(rq_side.registry, "failed") == []


def test_exported_and_imported_its_traceback_is_there(
    failed: str, app: Postroom, client: Any, rq: RqProcess, tmp_path: Path
) -> None:
    file = tmp_path / "dead.jsonl"
    file.write_bytes(b"\n".join(DeadLetters(app).export(Filter())))
    assert json.loads(file.read_text())["binary"].keys() >= {"data"}
    before, letter = rq(rq_side.look, failed), DeadLetters(app).show(failed)
    client.flushall()
    with file.open("rb") as opened:
        assert DeadLetters(app).load(read(opened)).count == 1
    assert rq(rq_side.look, failed) == before
    assert DeadLetters(app).show(failed) == letter
