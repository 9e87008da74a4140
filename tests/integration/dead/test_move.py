"""`postroom dead redrive`, `purge`, `undo`."""

import os
import pty
import subprocess
import sys
import time
from typing import Any

import pytest

from postroom import Postroom
from postroom.monitor.dead import DeadLetters, Filter
from tests.integration.dead.conftest import Dead, Shop
from tests.integration.programs import until, working


def ids_in(client: Any, queue: str = "mail") -> list[str]:
    """The dead letters of a queue."""
    return [member.decode() for member in client.zrange(f"rq:failed:{queue}", 0, -1)]


def left(client: Any) -> dict[bytes, object]:
    """What stands on the server but the record of an undo, as far as it can be compared."""
    found: dict[bytes, object] = {}
    for key in client.keys("rq:*"):
        kind = client.type(key)
        if kind == b"hash":
            stored = client.hgetall(key)
            found[key] = {name: value for name, value in stored.items() if name != b"enqueued_at"}
            found[key + b" ttl"] = round(client.ttl(key), -2)
        elif kind == b"zset":
            found[key] = client.zrange(key, 0, -1, withscores=True)
        elif kind == b"list":
            found[key] = client.lrange(key, 0, -1)
    return found


# Redrive -------------------------------------------------------------------------------------------------------------


def test_what_failed_before_a_redrive_is_told_beside_what_failed_after(dead: Dead, shop: Shop) -> None:
    (job_id,) = shop.kill(7)
    (first,) = DeadLetters(shop.app).show(job_id).failures
    for _ in range(2):
        assert dead("redrive", job_id).code == 0
        shop.work()
    told = DeadLetters(shop.app).show(job_id).failures
    assert [failure.attempt for failure in told] == [1, 1, 1]
    assert told[0] == first


def test_after_the_repair_a_redrive_empties_the_dead_letters(dead: Dead, shop: Shop, client: Any) -> None:
    orders = list(range(300))
    shop.send.enqueue_many([(order,) for order in orders])
    with working(shop.app, "mail"):
        until(lambda: client.zcard("rq:failed:mail") == 300)
        shop.broken = False
        said = dead("redrive", "--all", "--yes")
        until(lambda: len(shop.done) == 300)
    assert said.code == 0
    assert "Redrive 300 dead letters:" in said.out
    assert "300 shop.send" in said.out
    assert "Redrove 300 dead letters" in said.out
    assert sorted(shop.done) == orders
    assert ids_in(client) == []
    assert dead("list").out == "There are no dead letters.\n"


def test_its_attempts_begin_anew_and_its_failures_are_kept(dead: Dead, shop: Shop, client: Any) -> None:
    (job_id,) = shop.kill(1)
    client.hset(f"rq:job:{job_id}", mapping={"p:attempt": 9, "p:deaths": 2, "p:first": 1})
    failure = client.hget(f"rq:job:{job_id}", "p:failure:0")
    assert dead("redrive", job_id).code == 0
    assert client.hget(f"rq:job:{job_id}", "p:failure:0") == failure
    shop.work()
    document = dead("show", job_id, "--json").json
    assert (document["attempts"], document["deaths"], len(document["redriven"])) == (1, 0, 1)


def test_ids_are_all_there_or_none_is_touched(dead: Dead, shop: Shop, client: Any) -> None:
    one, two = shop.kill(1, 2)
    assert dead("redrive", one, "unknown", two).code == 1
    assert set(ids_in(client)) == {one, two}
    assert dead("redrive", one, one, two, "--json").json == {"verb": "redrive", "count": 2}
    assert ids_in(client) == []
    assert client.lrange("rq:queue:mail", 0, -1) == [one.encode(), two.encode()]


def test_a_filter_redrives_what_matches_the_oldest_first(dead: Dead, shop: Shop, client: Any) -> None:
    one, two, three = shop.kill(11, 12, 23)
    assert "Redrove 2 dead letters" in dead("redrive", "--error", "order 1", "-y").out
    assert client.lrange("rq:queue:mail", 0, -1) == [one.encode(), two.encode()]
    assert ids_in(client) == [three]


def test_the_rate_is_kept(dead: Dead, shop: Shop) -> None:
    shop.kill(1, 2, 3, 4)
    began = time.monotonic()
    assert dead("redrive", "--all", "--yes", "--rate", "10/s", "--json").json["count"] == 4
    assert time.monotonic() - began >= 0.4


def test_to_another_queue(dead: Dead, shop: Shop, client: Any) -> None:
    (job_id,) = shop.kill(1)
    assert dead("redrive", job_id, "--to", "spare").code == 0
    assert client.lrange("rq:queue:spare", 0, -1) == [job_id.encode()]
    shop.broken = False
    shop.work("spare")
    assert shop.app.job(job_id).result(timeout=1) == 1
    assert dead("redrive", "--all", "--to", "no such:queue*").code == 2


# The question --------------------------------------------------------------------------------------------------------


def test_nobody_is_there_to_answer(dead: Dead, shop: Shop, client: Any) -> None:
    (job_id,) = shop.kill(1)
    for verb in ("redrive", "purge"):
        said = dead(verb, "--all")
        assert said.code == 2
        assert "add --yes" in said.err
    dead("purge", job_id)
    assert dead("undo").code == 2
    assert ids_in(client) == []


def test_which_must_be_said(dead: Dead, shop: Shop, client: Any) -> None:
    (job_id,) = shop.kill(1)
    assert "say which" in dead("purge", "--yes").err
    assert dead("purge", "--yes").code == 2
    assert dead("purge", "--yes", "--all", "--task", "shop.send").code == 2
    assert dead("purge", "--yes", job_id, "--task", "shop.send").code == 2
    assert ids_in(client) == [job_id]


@pytest.mark.parametrize(("answer", "code", "remaining"), [(b"y\n", 0, 0), (b"n\n", 1, 1)])
def test_somebody_answers(answer: bytes, code: int, remaining: int, shop: Shop, client: Any) -> None:
    shop.kill(1)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "postroom", "dead", "purge", "--all", "--url", shop.app.broker.url]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        os.write(ours, answer)
        printed = process.communicate(timeout=30)[0].decode()
    os.close(ours)
    os.close(theirs)
    assert "Purge 1 dead letter:" in printed
    assert "Purge them?" in printed
    assert (process.returncode, len(ids_in(client))) == (code, remaining)


# The canary ----------------------------------------------------------------------------------------------------------


def test_a_canary_that_dies_again_stops_it(dead: Dead, shop: Shop, client: Any) -> None:
    ids = shop.kill(*range(15))
    with working(shop.app, "mail"):
        said = dead("redrive", "--all", "--canary", "--yes")
    assert said.code == 1
    assert f"Stopped after 1 of 15: job {ids[0]} died again as before (ValueError: Order 0" in said.err
    assert f"postroom dead show {ids[0]}" in said.err
    assert set(ids_in(client)) == set(ids)
    assert [len(DeadLetters(shop.app).show(job_id).redriven) for job_id in ids] == [1, *[0] * 14]


def test_a_canary_that_lives_lets_the_rest_go(dead: Dead, shop: Shop, client: Any) -> None:
    shop.kill(*range(15))
    shop.broken = False
    with working(shop.app, "mail"):
        said = dead("redrive", "--all", "--canary", "--yes", "--json")
        until(lambda: len(shop.done) == 15)
    assert said.code == 0
    assert said.json == {"verb": "redrive", "count": 15}
    assert "canary: 1 of 1 ended" in said.err
    assert "canary: 10 of 10 ended" in said.err
    assert ids_in(client) == []


def test_a_canary_that_dies_of_something_else_goes_on(dead: Dead, shop: Shop, client: Any) -> None:
    ids = shop.kill(1, 2)
    client.hset(f"rq:job:{ids[0]}", "p:fingerprint", "another-one!")
    client.hset(f"rq:job:{ids[1]}", "p:fingerprint", "another-one!")
    with working(shop.app, "mail"):
        assert dead("redrive", "--all", "--canary", "--yes", "--json").json["count"] == 2


def test_a_canary_that_nobody_runs_is_late(dead: Dead, shop: Shop, client: Any) -> None:
    ids = shop.kill(1, 2)
    said = dead("redrive", "--all", "--canary", "--wait", "0.3", "--yes", "--json")
    assert said.code == 1
    assert said.json["count"] == 1
    assert "has not ended in time (it is queued)" in said.json["stopped"]
    assert ids_in(client) == [ids[1]]


# Undo ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [("redrive", "--all"), ("redrive", "--all", "--to", "late"), ("purge", "--all")])
def test_undo_leaves_everything_as_it_was(verb: tuple[str, ...], dead: Dead, shop: Shop, client: Any) -> None:
    shop.kill(*range(5))
    shop.kill(6, queue="late")
    before = left(client)
    assert dead(*verb, "--yes").code == 0
    assert left(client) != before

    said = dead("undo", "--yes")

    assert said.code == 0
    assert f"Undo the {verb[0]} of 6 dead letters" in said.out
    assert "Undone for 6 dead letters." in said.out
    assert left(client) == before
    again = dead("undo", "--yes")
    assert (again.code, again.err) == (
        1,
        "There is nothing to undo: nothing was redriven, purged or imported within 15 minutes.\n",
    )


def test_undo_tells_what_it_could_not_undo(dead: Dead, shop: Shop, client: Any) -> None:
    one, two, three = shop.kill(1, 2, 3)
    dead("redrive", one, two, three)
    shop.broken = False
    client.lrem("rq:queue:mail", 1, two)
    client.lrem("rq:queue:mail", 1, three)
    shop.work()
    client.rpush("rq:queue:mail", two)
    shop.app.job(three).delete()

    said = dead("undo", "--yes")

    assert "Undone for 1 dead letter." in said.out
    assert "1 not: finished" in said.out
    assert "1 not: no longer on the server" in said.out
    assert one in said.out
    assert ids_in(client) == [two]
    assert client.llen("rq:queue:mail") == 0


def test_only_the_last_action_can_be_undone(dead: Dead, shop: Shop, client: Any) -> None:
    one, two = shop.kill(1, 2)
    dead("purge", one)
    dead("purge", two)
    assert dead("undo", "--yes", "--json").json == {"verb": "undo", "undone": "purge", "count": 1}
    assert ids_in(client) == [two]
    assert dead("undo", "--yes").code == 1


def test_what_is_undone_is_redriven_again_and_runs_once(dead: Dead, shop: Shop) -> None:
    shop.kill(1)
    shop.broken = False
    dead("redrive", "--all", "-y")
    dead("undo", "-y")
    dead("redrive", "--all", "-y")
    shop.work()
    assert shop.done == [1]


def test_purged_for_good_after_its_time(dead: Dead, shop: Shop, client: Any) -> None:
    (job_id,) = shop.kill(1)
    assert "Purged 1 dead letter." in dead("purge", job_id).out
    assert 800 < client.ttl(f"rq:job:{job_id}") <= 900
    assert "it is purged" in dead("show", job_id).err


def test_an_app_has_the_same_without_the_command(app: Postroom, shop: Shop) -> None:
    shop.kill(1, 2)
    assert [group.count for group in DeadLetters(app).groups(Filter(task="shop.send"))] == [2]
    assert DeadLetters(app).purge(Filter(task="shop.send")).count == 2
    undone = DeadLetters(app).undo()
    assert undone is not None
    assert undone.count == 2
