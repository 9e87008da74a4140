"""Jobs of RQ's, or of programs that imitate it, that are wrong in some way: each hurts only itself."""

import json
import zlib
from typing import Any

import pytest
import redis

from postroom import JobFailed, Postroom
from tests.integration.interop import rq_side
from tests.integration.interop.conftest import PATIENCE, RqProcess, Shop

pytestmark = pytest.mark.usefixtures("nothing_left")

CALL = json.dumps(["shop.add", None, [2, 3], {}])
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no-data": ({"data": None}, "no data"),
    "no-call": ({"data": '["shop.add"]'}, "not a call"),
    "an-instance": ({"data": '["shop.add", "self", [], {}]'}, "not a call"),
    "a-bomb": ({"data": zlib.compress(bytes(20_000_000))}, "inflates to more than"),
    "a-date": ({"created_at": "yesterday"}, "cannot be read"),
    "a-status": ({"retries_left": "many"}, "cannot be read"),
    "an-interval": ({"retries_left": 1, "retry_intervals": '["soon"]'}, "not a list of seconds"),
    "a-repeat": ({"repeats_left": 1, "repeat_intervals": '{"a": 1}'}, "not a list of seconds"),
    "no-seconds": ({"repeats_left": 1, "repeat_intervals": "[true]"}, "not a list of seconds"),
    "a-timeout": ({"timeout": "long"}, "cannot be read"),
    "an-age": ({"result_ttl": 10**20}, "too many"),
    "a-callback": ({"success_callback_name": b"\xff"}, "cannot be read"),
}


def test_a_hash_that_is_wrong_is_a_dead_letter(shop: Shop, rq: RqProcess, client: redis.Redis, app: Postroom) -> None:
    # Given jobs each wrong in one field, and a good one behind them
    for job_id, (fields, _) in WRONG.items():
        stored = {"data": CALL, "origin": "default", "status": "queued", **fields}
        client.hset(f"rq:job:{job_id}", mapping={name: value for name, value in stored.items() if value is not None})
        client.rpush("rq:queue:default", job_id)
    good = rq(rq_side.enqueue, "shop.add", 4, 5)

    shop.work()

    # I expect each to be a dead letter that says why, the good one to be done, and RQ's readers to read them all
    for job_id, (_, reason) in WRONG.items():
        with pytest.raises(JobFailed, match=reason):
            app.job(job_id).result(timeout=0)
    assert sorted(rq(rq_side.registry, "failed")) == sorted(WRONG)
    assert rq(rq_side.look, good)["return_value"] == 9
    assert shop.notes() == ["add 4 5"]


def test_an_empty_field_is_none(shop: Shop, rq: RqProcess, client: redis.Redis) -> None:
    # Given jobs whose producer writes empty strings where RQ writes nothing
    once, twice = rq(rq_side.enqueue, "shop.add", 1, 1), rq(rq_side.enqueue, "shop.add", 2, 2, repeat={"times": 1})
    empty = ("retries_left", "retry_intervals", "repeats_left", "repeat_intervals", "group_id", "rate_limit_key")
    client.hset(f"rq:job:{once}", mapping=dict.fromkeys(empty, ""))
    client.hset(f"rq:job:{twice}", "repeat_intervals", "")

    log = shop.work()

    assert sorted(shop.notes()) == ["add 1 1", "add 2 2", "add 2 2"], log
    assert sorted(rq(rq_side.registry, "finished")) == sorted([once, twice]), log


def test_an_error_that_few_raise_fails_its_job_only(shop: Shop, rq: RqProcess, app: Postroom) -> None:
    # Given handlers whose errors cannot be shown, end a process, or hold what UTF-8 cannot
    last_lines = {
        "unspeakable": "shop.Unspeakable: <exception str() failed>",
        "exit": "SystemExit: 3",
        "a name": "FileNotFoundError: /mail/\\udcff",
    }
    bad = {how: rq(rq_side.enqueue, "shop.fail_badly", how) for how in last_lines}
    good = rq(rq_side.enqueue, "shop.add", 2, 3)

    shop.work(threads=1)

    # I expect the one thread to have lived through them all
    assert rq(rq_side.look, good)["return_value"] == 5
    for how, last_line in last_lines.items():
        assert rq(rq_side.look, bad[how])["exc_string"].splitlines()[-1] == last_line
        with pytest.raises(JobFailed) as failed:
            app.job(bad[how]).result(timeout=0)
        assert failed.value.reason == last_line


def test_jobs_that_have_ended_are_not_kept_in_memory(shop: Shop, rq: RqProcess, app: Postroom) -> None:
    # Given a worker that has run many jobs of RQ's
    many = [rq(rq_side.enqueue, "shop.multiply", n, n) for n in range(30)]
    with shop.working("-c", "1"):
        rq.ended(many[-1])

        # If a job of ours looks what is left of them
        count = app.enqueue("shop.count_rq_jobs").result(timeout=PATIENCE)

    # I expect no more than the last one or two
    assert count <= 2
