"""`postroom dead list` and `show`."""

import base64
import zlib
from typing import Any

import pytest
from rq import Queue, SimpleWorker

from postroom import JobFailed, Postroom, Retry
from tests.integration.dead.conftest import Dead, Shop
from tests.integration.programs import burst


def test_none(dead: Dead, client: Any) -> None:
    assert dead("list").out == "There are no dead letters.\n"
    assert dead("list", "--json").lines == []
    assert dead("list", "--group-by", "task").out == "There are no dead letters.\n"


def test_the_newest_is_first(dead: Dead, shop: Shop) -> None:
    first, second, third = shop.kill(1, 2, 3)

    said = dead("list")
    assert said.code == 0
    assert said.out.index(third) < said.out.index(second) < said.out.index(first)
    assert "shop.send" in said.out
    assert "ValueError: Order 3 has no address" in said.out

    row = dead("list", "--json", "--limit", "1").lines
    assert [found["id"] for found in row] == [third]
    assert row[0]["task"] == "shop.send"
    assert row[0]["attempts"] == 1
    assert len(row[0]["fingerprint"]) == 12


def test_of_several_queues_the_newest_is_first(dead: Dead, shop: Shop) -> None:
    ids = [*shop.kill(1), *shop.kill(2, queue="late"), *shop.kill(3)]
    assert [row["id"] for row in dead("list", "--json").lines] == ids[::-1]


def test_filters(dead: Dead, shop: Shop, client: Any) -> None:
    old, other = shop.kill(1, 2)
    rendered = shop.render.enqueue(3).id
    shop.work("pdf")
    client.hset(f"rq:job:{old}", "ended_at", "2020-01-01T00:00:00.000000Z")
    fingerprint = str(client.hget(f"rq:job:{rendered}", "p:fingerprint"), "utf-8")

    def found(*filters: str) -> set[str]:
        return {row["id"] for row in dead("list", "--json", *filters).lines}

    assert found("--queue", "pdf") == {rendered}
    assert found("--task", "shop.send") == {old, other}
    assert found("--error", "order 1 HAS") == {old}
    assert found("--fingerprint", fingerprint) == {rendered}
    assert found("--cause", "not-retryable") == {old, other, rendered}
    assert found("--cause", "poison") == set()
    assert found("--older", "1d") == {old}
    assert found("--newer", "1d") == {other, rendered}
    assert found("--newer", "1d", "--task", "shop.send") == {other}


def test_what_failed_under_rqs_worker_is_found_by_its_error(dead: Dead, shop: Shop, client: Any) -> None:
    (first,) = shop.kill(1)
    queue = Queue("mail", connection=client)
    theirs = [queue.enqueue(failing, text).id for text in ("No Address", "no time")]
    SimpleWorker([queue], connection=client).work(burst=True, logging_level="ERROR")
    (last,) = shop.kill(2)
    client.zadd("rq:failed:mail", {one: 9e9 + n for n, one in enumerate((first, *theirs, last))})

    def found(*filters: str) -> list[str]:
        return [row["id"] for row in dead("list", "--json", *filters).lines]

    assert found("--error", "no address") == [last, theirs[0], first]
    assert found("--error", "No TIME", "--limit", "1") == [theirs[1]]
    assert found("--error", "no time", "--task", "shop.send") == []
    row = dead("list", "--error", "no time", "--json").json
    assert row["reason"] == "OSError: no time"
    group = dead("list", "--error", "no time", "--group-by", "task", "--json").json
    assert (group["count"], group["example"], group["reason"]) == (1, theirs[1], "OSError: no time")
    assert dead("redrive", "--error", "no address", "--yes", "--json").json["count"] == 3
    assert client.lrange("rq:queue:mail", 0, -1) == [one.encode() for one in (first, theirs[0], last)]


def test_what_rq_told_and_nobody_can_read_hides_no_other(dead: Dead, shop: Shop, app: Postroom, client: Any) -> None:
    (ours,) = shop.kill(1)
    bomb = base64.b64encode(zlib.compress(bytes(20_000_000)))
    for job_id, told in (("broken", b"abc"), ("bomb", bomb)):
        client.hset(f"rq:job:{job_id}", mapping={"status": "failed", "origin": "mail"})
        client.zadd("rq:failed:mail", {job_id: 9e9})
        client.xadd(f"rq:results:{job_id}", {"type": "2", "exc_string": told})
    assert {row["id"] for row in dead("list", "--json").lines} == {"broken", "bomb", ours}
    assert dead("list", "--error", "no address", "--json").json["id"] == ours
    for job_id in ("broken", "bomb"):
        assert "its traceback cannot be read" in dead("show", job_id).out
        with pytest.raises(JobFailed, match="cannot be read"):
            app.job(job_id).result(0)


def failing(text: str) -> None:
    """What RQ's worker runs."""
    raise OSError(text)


def test_a_filter_that_matches_nothing_says_so(dead: Dead, shop: Shop) -> None:
    shop.kill(1)
    for verb in (("list",), ("redrive",), ("purge",), ("list", "--group-by", "task")):
        said = dead(*verb, "--task", "shop.nobody")
        assert (said.code, said.out) == (0, "No dead letter matches.\n")
    assert dead("redrive", "--task", "shop.nobody", "--json").json == {"verb": "redrive", "count": 0}


def test_a_filter_that_cannot_match_is_refused(dead: Dead) -> None:
    assert dead("list", "--older", "soon").code == 2
    assert "90s, 15m, 2h" in dead("list", "--older", "soon").err
    assert dead("list", "--older", "2d", "--newer", "1h").code == 2
    assert dead("list", "--cause", "bad luck").code == 2
    assert dead("redrive", "--all", "--rate", "50").code == 2


def test_groups(dead: Dead, shop: Shop) -> None:
    *_, last = shop.kill(1, 2, 3)
    shop.kill(4, queue="late")
    shop.render.enqueue(5)
    shop.work("pdf")

    by_print, other = dead("list", "--group-by", "fingerprint", "--json").lines
    assert (by_print["count"], by_print["task"], by_print["queue"]) == (4, "shop.send", "")
    assert by_print["first"] < by_print["last"]
    assert by_print["reason"] == "ValueError: Order 4 has no address"
    assert (other["count"], other["task"], other["queue"]) == (1, "shop.render", "pdf")

    by_queue = dead("list", "--group-by", "queue", "--json").lines
    assert {group["queue"]: group["count"] for group in by_queue} == {"mail": 3, "late": 1, "pdf": 1}
    assert by_queue[0]["example"] == last

    table = dead("list", "--group-by", "task", "--limit", "1").out
    assert "shop.send" in table
    assert "The largest 1 of 2" in table


def test_what_an_error_says_does_not_steer_the_terminal(dead: Dead, app: Postroom) -> None:
    @app.task(name="evil", queue="mail")
    def evil() -> None:
        raise ValueError("[bold]\x1b[2J[/bold]")

    job = evil.enqueue()
    burst(app, "mail")
    for said in (dead("list"), dead("show", job.id)):
        assert "\x1b" not in said.out
        assert "[bold]" in said.out


def test_show_tells_everything(dead: Dead, app: Postroom) -> None:
    attempts = []

    @app.task(name="flaky", queue="mail", retry=Retry(stop=lambda state: len(attempts) > 1, wait=lambda state: 0))
    def flaky(order: int) -> None:
        attempts.append(order)
        raise OSError(f"refused for the time {len(attempts)}")

    job = flaky.enqueue(4711)
    burst(app, "mail")

    said = dead("show", job.id)
    assert said.code == 0
    for told in ("flaky", "mail", "its retries are used up, 2 attempts were made", "OSError: refused for the time 1"):
        assert told in said.out
    assert "OSError: refused for the time 2" in said.out
    assert "in flaky" in said.out
    assert "host" in said.out
    assert f"postroom dead redrive {job.id}" in said.out
    assert "4711" not in said.out
    assert "4711" in dead("show", job.id, "--arguments").out

    document = dead("show", job.id, "--json").json
    assert document["cause"] == "exhausted"
    assert [failure["attempt"] for failure in document["failures"]] == [1, 2]
    assert "arguments" not in document
    assert dead("show", job.id, "--json", "--arguments").json["arguments"] == {"args": [4711], "kwargs": {}}


def test_arguments_that_cannot_be_read(dead: Dead, shop: Shop, client: Any) -> None:
    (job_id,) = shop.kill(1)
    client.hset(f"rq:job:{job_id}", "data", b"\xff")
    said = dead("show", job_id, "--arguments")
    assert said.code == 0
    assert "cannot be read" in said.out


def test_an_unknown_id_names_the_nearest(dead: Dead, shop: Shop) -> None:
    job_id, _ = shop.kill(1, 2)
    for wrong in (job_id[:8], f"{job_id[:-1]}_"):
        said = dead("show", wrong)
        assert said.code == 1
        assert f"there is no dead letter {wrong}; the nearest: {job_id}" in said.err
    assert dead("redrive", "nothing-like-it").err == "postroom: there is no dead letter nothing-like-it\n"


def test_a_job_that_is_no_dead_letter_says_what_it_is(dead: Dead, shop: Shop) -> None:
    shop.broken = False
    job = shop.send.enqueue(1)
    assert "is no dead letter: it is queued" in dead("show", job.id).err
    shop.work()
    said = dead("purge", job.id)
    assert said.code == 1
    assert "it is finished" in said.err
    assert job.result(timeout=1) == 1
