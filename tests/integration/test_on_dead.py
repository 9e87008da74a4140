"""`@app.on_dead` on real workers: one call for each dead letter."""

import json
import threading
import time
from typing import Any

import pytest
import redis

from postroom import Burial, Postroom
from postroom.duties import duties
from postroom.jobs import calls
from postroom.jobs.errors import ScriptFailed
from postroom.scheduler.tell import BEFORE, Tell
from tests.integration.programs import Program, burst, until
from tests.servers import Server


@pytest.fixture
def heard() -> list[Burial]:
    """What the hooks were told."""
    return []


@pytest.fixture
def shop(app: Postroom, heard: list[Burial]) -> Postroom:
    """An app with a task that fails and a hook."""
    declare(app, heard)
    return app


def declare(app: Postroom, heard: list[Burial]) -> None:
    @app.task(name="send", queue="mail", retry=None)
    def send(order: int) -> None:
        raise ValueError(f"no address {order}")

    @app.on_dead(name="tell")
    def tell(burial: Burial) -> None:
        heard.append(burial)


def tell_all(app: Postroom) -> None:
    """One round of the duty, whoever's turn it is, and the jobs that it made."""
    for name in app.hooks:
        app.broker.run(calls.Call(("DEL", app.keys.turn(f"hook:{name}")), int))
    Tell().do(app)
    burst(app, "alerts")


def test_it_is_told_what_died_and_why(shop: Postroom, heard: list[Burial]) -> None:
    began = time.time()
    job = shop.enqueue("send", 7, queue="mail")
    burst(shop, "mail")
    tell_all(shop)
    (burial,) = heard
    assert (burial.id, burial.queue, burial.task) == (job.id, "mail", "send")
    assert (burial.cause, burial.reason, burial.attempts) == ("not-retryable", "ValueError: no address 7", 1)
    assert len(burial.fingerprint) == 12
    assert began - 1 < burial.died < time.time() + 1


def test_once_for_each_death_however_many_do_the_duty(
    shop: Postroom, heard: list[Burial], server: Server, client: redis.Redis
) -> None:
    other = Postroom(server.url)
    declare(other, heard)
    ids = shop.tasks["send"].prepared.enqueue_many([(n,) for n in range(300)])
    burst(shop, "mail")
    assert int(client.xlen("postroom:dead")) > 1
    # Both at the same time, and none leaves the work to the other.
    both = threading.Barrier(2)
    for app in (shop, other):
        app.broker.run = _after(app.broker.run, both)  # type: ignore[method-assign]
    threads = [threading.Thread(target=Tell().do, args=(app,)) for app in (shop, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    made = client.llen("rq:queue:alerts")
    burst(shop, "alerts")
    tell_all(other)
    assert made == 300
    assert sorted(burial.id for burial in heard) == sorted(ids)
    other.broker.close()


def _after(run: Any, both: threading.Barrier) -> Any:
    """`run`, which takes every turn, and whose first look at the stream waits until the other one looks, too."""

    def waiting(call: Any) -> Any:
        reply = run(call)
        if call.command[0] == "SET":
            return True
        if call.command[0] == "XRANGE" and not both.broken:
            try:
                both.wait(5)
            except threading.BrokenBarrierError:
                pass
            finally:
                both.abort()
        return reply

    return waiting


def test_what_died_while_nobody_did_the_duty_is_told_later(
    shop: Postroom, heard: list[Burial], monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_all(shop)  # the hook is known from now on
    monkeypatch.setattr("postroom.scheduler.tell.BEFORE", -3600)
    job = shop.enqueue("send", 1, queue="mail")
    burst(shop, "mail")
    assert not heard
    tell_all(shop)
    tell_all(shop)
    assert [burial.id for burial in heard] == [job.id]


def test_a_new_hook_is_not_told_of_old_deaths(shop: Postroom, heard: list[Burial], client: redis.Redis) -> None:
    old, new = (int((time.time() - ago) * 1000) for ago in (BEFORE + 30, BEFORE - 30))
    for at, job in ((old, "old"), (new, "new")):
        client.xadd("postroom:dead", {"queue": "mail", "jobs": json.dumps([job])}, id=f"{at}-0")
    tell_all(shop)
    assert [(burial.id, burial.reason) for burial in heard] == [("new", "")]


def test_a_hook_that_fails_calls_no_hook(app: Postroom, client: redis.Redis) -> None:
    @app.task(name="send", queue="mail", retry=None)
    def send() -> None:
        raise ValueError

    @app.on_dead(name="tell", retry=None)
    def tell(burial: Burial) -> None:
        raise KeyError(burial.id)

    app.enqueue("send", queue="mail")
    burst(app, "mail")
    tell_all(app)
    assert client.zcard("rq:failed:alerts") == 1
    tell_all(app)
    assert client.zcard("rq:failed:alerts") == 1
    assert client.llen("rq:queue:alerts") == 0


def test_of_a_job_that_is_gone_by_then_the_task_is_known(
    server: Server, client: redis.Redis, heard: list[Burial]
) -> None:
    app = Postroom(server.url, failure_ttl=0)
    declare(app, heard)

    @app.task(name="other", queue="mail", retry=None)
    def other() -> None:
        raise ValueError

    @app.on_dead(name="of send", task="send")
    def of_send(burial: Burial) -> None:
        heard.append(burial)

    other.enqueue()
    job = app.enqueue("send", 1, queue="mail")
    burst(app, "mail")
    assert not client.exists(f"rq:job:{job.id}")
    tell_all(app)
    app.broker.close()
    assert sorted(burial.task for burial in heard) == ["other", "send", "send"]
    assert {burial.reason for burial in heard} == {""}


def test_a_foreign_entry_stops_nobody(shop: Postroom, heard: list[Burial], client: redis.Redis) -> None:
    client.xadd("postroom:dead", {"something": "else"})
    client.xadd("postroom:dead", {"queue": "mail", "jobs": "{"})
    shop.enqueue("send", 1, queue="mail")
    burst(shop, "mail")
    tell_all(shop)
    assert len(heard) == 1


def test_an_app_without_hooks_has_no_duty_of_telling(app: Postroom, shop: Postroom) -> None:
    assert any(isinstance(duty, Tell) for duty in duties(shop))
    shop.hooks.clear()
    assert not any(isinstance(duty, Tell) for duty in duties(app))


PROGRAM = """
from postroom import Burial, Postroom

app = Postroom()

@app.task(queue="mail", retry=None)
def send():
    raise ValueError("no address")

@app.on_dead(queue="mail")
async def tell(burial: Burial):
    with open("told", "a") as told:
        told.write(f"{burial.id} {burial.reason}\\n")
"""


def test_two_pools(program: Program, app: Postroom) -> None:
    program.write("shop.py", PROGRAM)
    for _ in range(2):
        program.worker("shop:app")
    ids = {app.enqueue("shop.send", queue="mail").id for _ in range(20)}
    told = program.folder / "told"
    until(lambda: told.exists() and len(told.read_text().splitlines()) >= 20)
    time.sleep(2.5)  # two more rounds of both
    assert sorted(told.read_text().splitlines()) == sorted(f"{job_id} ValueError: no address" for job_id in ids)


@pytest.mark.parametrize("seconds", [0, 1.3])
def test_what_a_burst_did_last_is_told(program: Program, app: Postroom, client: redis.Redis, seconds: float) -> None:
    """Also where it is shorter than a round, and where it ends between two."""
    program.write(
        "jobs.py",
        "import time\nfrom postroom import Postroom\napp = Postroom()\n"
        "@app.task(queue='mail', retry=None)\ndef send(seconds):\n    time.sleep(seconds)\n    raise ValueError('no')\n"
        "@app.on_dead\ndef tell(burial):\n    pass\n",
    )
    app.using("jobs.send", queue="mail").enqueue_many([(seconds,)] * 3)
    worker = program.start("-m", "postroom", "worker", "jobs:app", "mail", "--burst")
    assert worker.wait() == 0, worker.log
    assert client.llen("rq:queue:alerts") == 3


def test_a_hook_whose_queue_is_foreign_keeps_no_other_waiting(
    app: Postroom, heard: list[Burial], client: redis.Redis
) -> None:
    @app.on_dead(name="first", runs_in="foreign")
    def first(burial: Burial) -> None:
        heard.append(burial)

    declare(app, heard)
    client.set("rq:queue:foreign", "foreign")
    job = app.enqueue("send", 7, queue="mail")
    burst(app, "mail")
    with pytest.raises(ScriptFailed, match="WRONGTYPE"):
        Tell().do(app)
    burst(app, "alerts")
    assert [burial.id for burial in heard] == [job.id]
