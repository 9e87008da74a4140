"""Sentry, and secrets: what real workers send, to a server that takes real envelopes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from postroom import Postroom
from postroom.jobs.observers import Observer
from tests.integration.programs import Program, until
from tests.integration.programs import burst as burst_here
from tests.integration.sentry_server import SentryServer

CANARY, OTHER = "c4nary-pin-7731", "c4nary-password"

SHOP = """
import logging, os, signal
import sentry_sdk
from tenacity import stop_after_attempt, wait_none
from postroom import Postroom, Retry, Secret

if os.environ.get("INIT"):
    from postroom.integrations.sentry import PostroomIntegration
    options = {"events": os.environ.get("EVENTS", "last"), "arguments": bool(os.environ.get("ARGUMENTS"))}
    sentry_sdk.init(dsn=os.environ["INIT"], traces_sample_rate=1.0, integrations=[PostroomIntegration(**options)])

app = Postroom()

@app.task(queue="mail", retry=Retry(stop=stop_after_attempt(2), wait=wait_none()))
def charge(order: int, pin: Secret[str], password: str = "") -> None:
    note = {"pin": pin}
    logging.getLogger("shop").info("charging with %s", pin)
    raise ConnectionError(f"refused {pin!r} and {password} for order {order}")

@app.task(queue="mail")
def fine(order: int) -> int:
    return order

@app.task(queue="mail", isolate=True, retry=None)
def alone(pin: Secret[str]) -> None:
    raise ValueError(f"no {pin}")

@app.task(queue="mail", isolate=True, retry=None)
def crash(pin: Secret[str]) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)

@app.task(queue="mail", retry=None)
async def later(pin: Secret[str]) -> None:
    raise ValueError(f"no {pin}")

@app.task(queue="mail", timeout=0.2, retry=None)
def stuck(pin: Secret[str]) -> None:
    while True:
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, [])
            __import__("time").sleep(60)
        except BaseException:
            pass
"""
TICKING = """
import os, signal
from tenacity import stop_after_attempt, wait_none
from postroom import Postroom, Retry, current_job
app = Postroom()

@app.cron("0 3 * * *", tz="Europe/Paris", timeout=30)
def good():
    pass

@app.cron(every=3600, retry=None)
def bad():
    raise ValueError("no")

@app.cron(every=3600, retry=Retry(stop=stop_after_attempt(2), wait=wait_none()))
def shaky():
    if current_job.attempt == 1:
        raise ConnectionError("no")

@app.cron(every=3600, isolate=True, timeout=1, retry=None)
def killed():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    while True:
        try:
            __import__("time").sleep(60)
        except BaseException:
            pass

app.schedule(good, every=30, name="seconds")
"""
PRODUCER = """
import sentry_sdk
from shop import charge, fine
with sentry_sdk.start_transaction(name="checkout", op="http.server") as transaction:
    print(fine.enqueue(1).id, charge.enqueue(7, {pin!r}, password={password!r}).id, transaction.trace_id)
"""


@pytest.fixture
def shop(program: Program) -> Program:
    """The shop's folder."""
    program.write("shop.py", SHOP)
    return program


def call(program: Program, what: str) -> str:
    """Enqueue; the job's id."""
    done = program.run("-c", f"from shop import *; print({what}.id)")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def burst(program: Program, **environ: str) -> str:
    """A worker that runs what is queued; its log."""
    worker = program.start("-m", "postroom", "worker", "shop:app", "--burst", **environ)
    assert worker.wait() == 0, worker.log
    return worker.log


def everything(client: Any) -> Iterator[tuple[str, bytes]]:
    """Every key with what it holds, but the `data` of jobs."""
    for key in client.scan_iter("*"):
        kind = client.type(key)
        found: Any = {
            b"string": client.get,
            b"list": lambda k: client.lrange(k, 0, -1),
            b"set": client.smembers,
            b"zset": lambda k: client.zrange(k, 0, -1, withscores=True),
            b"stream": client.xrange,
            b"hash": lambda k: {name: text for name, text in client.hgetall(k).items() if name != b"data"},
        }[kind](key)
        yield key.decode(), repr(found).encode()


def test_the_canary_appears_nowhere(shop: Program, sentry: SentryServer, client: Any) -> None:
    heard = client.pubsub()
    heard.subscribe("postroom:events")
    ids = [
        call(shop, f"charge.enqueue(7, {CANARY!r}, password={OTHER!r})"),
        *(call(shop, f"{task}.enqueue({CANARY!r})") for task in ("alone", "later", "crash")),
        call(shop, f"app.using('nobody', queue='mail').enqueue({CANARY!r}, token={OTHER!r})"),
    ]

    log = burst(shop, INIT=sentry.dsn, EVENTS="every", ARGUMENTS="1")

    assert client.zcard("rq:failed:mail") == len(ids)
    said = {"log": log, **{f"envelope {at}": text for at, text in enumerate(sentry.raw)}}
    said |= {key: text.decode() for key, text in everything(client)}
    for arguments in (["list"], ["list", "--json"], ["list", "--group-by", "fingerprint"]):
        done = shop.run("-m", "postroom", "dead", *arguments)
        assert done.returncode == 0, done.stderr
        said[" ".join(arguments)] = done.stdout
    for job_id in ids:
        for flags in ([], ["--json"], ["--arguments"], ["--json", "--arguments"]):
            done = shop.run("-m", "postroom", "dead", "show", job_id, *flags)
            assert done.returncode == 0, done.stderr
            said[f"show {job_id} {flags}"] = done.stdout + done.stderr
    while (message := heard.get_message(timeout=0.5)) is not None:
        said[f"event {len(said)}"] = repr(message)
    # Where there is nothing to search, nothing is found.
    assert {event["tags"]["job_id"] for event in sentry.of("event")} == set(ids)
    assert sum('"buried"' in text for place, text in said.items() if place.startswith("event ")) == len(ids)
    leaks = {place: text for place, text in said.items() if CANARY in text or OTHER in text}
    assert not leaks, sorted(leaks)
    assert "refused '***' and *** for order 7" in log
    shown = json.loads(said[f"show {ids[0]} ['--json', '--arguments']"])
    assert shown["arguments"] == {"args": [7, "***"], "kwargs": {"password": "***"}}
    assert json.loads(said[f"show {ids[-1]} ['--json', '--arguments']"])["arguments"]["args"] == ["***"]
    exported = shop.run("-m", "postroom", "dead", "export")
    assert CANARY in exported.stdout
    assert "secrets, too" in exported.stderr


def test_one_event_for_a_dead_letter_and_the_trace_goes_on(shop: Program, sentry: SentryServer) -> None:
    shop.write("produce.py", PRODUCER.format(pin=CANARY, password=OTHER))
    done = shop.run("produce.py", INIT=sentry.dsn)
    assert done.returncode == 0, done.stderr
    fine_id, charge_id, trace = done.stdout.split()

    burst(shop, INIT=sentry.dsn)

    (event,) = sentry.of("event")
    tags = {name: event["tags"][name] for name in ("queue", "task", "attempt", "job_id", "cause")}
    assert tags == {"queue": "mail", "task": "shop.charge", "attempt": "2", "job_id": charge_id, "cause": "exhausted"}
    assert len(event["fingerprint"][0]) == 12
    assert event["contexts"]["trace"]["trace_id"] == trace
    assert event["exception"]["values"][-1]["value"] == "refused '***' and *** for order 7"
    frame = event["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert (frame["vars"]["pin"], frame["vars"]["order"]) == ("***", "7")
    assert frame["vars"]["password"] in {"***", "[Filtered]"}  # sentry_sdk filters some names itself
    assert "args" not in event["contexts"]["postroom"]

    by_op: dict[str, list[dict[str, Any]]] = {}
    for transaction in sentry.of("transaction"):
        assert transaction["contexts"]["trace"]["trace_id"] == trace
        for span in transaction["spans"]:
            by_op.setdefault(span["op"], []).append(span["data"])
    published = {data["messaging.message.id"]: data for data in by_op["queue.publish"]}
    assert set(published) == {fine_id, charge_id}
    assert published[fine_id]["messaging.destination.name"] == "mail"
    assert published[fine_id]["messaging.message.body.size"] == len('["shop.fine",null,[1],{}]')
    processed = [
        (data["messaging.message.id"], data["messaging.message.retry.count"]) for data in by_op["queue.process"]
    ]
    assert sorted(processed) == sorted([(fine_id, 0), (charge_id, 0), (charge_id, 1)])
    for data in by_op["queue.process"]:
        assert data["messaging.destination.name"] == "mail"
        assert data["messaging.message.receive.latency"] > 0
        assert data["messaging.message.body.size"] > 20


def test_every_attempt_and_arguments_where_they_are_wanted(shop: Program, sentry: SentryServer) -> None:
    call(shop, f"charge.enqueue(7, {CANARY!r}, password={OTHER!r})")
    burst(shop, INIT=sentry.dsn, EVENTS="every", ARGUMENTS="1")
    assert [event["tags"]["attempt"] for event in sentry.of("event")] == ["1", "2"]
    context = sentry.of("event")[0]["contexts"]["postroom"]
    assert (context["args"], context["kwargs"]) == ([7, "***"], {"password": "***"})


@pytest.mark.parametrize("name", ["SENTRY_DSN", "POSTROOM_SENTRY_DSN"])
def test_a_dsn_in_the_environment_is_enough(shop: Program, sentry: SentryServer, name: str) -> None:
    call(shop, f"alone.enqueue({CANARY!r})")
    call(shop, f"app.using('nobody', queue='mail').enqueue({CANARY!r})")
    burst(shop, **{name: sentry.dsn})
    assert sorted(event["tags"]["cause"] for event in sentry.of("event")) == ["not-retryable", "unknown-task"]


def test_sentry_sdk_is_imported_where_a_dsn_is_set(program: Program, app: Postroom, sentry: SentryServer) -> None:
    program.write(
        "shop.py",
        "import sys\nfrom postroom import Postroom\napp = Postroom()\n"
        "@app.task(queue='mail')\ndef imported():\n    return 'sentry_sdk' in sys.modules\n",
    )
    for environ in ({}, {"SENTRY_DSN": sentry.dsn}):
        job_id = call(program, "imported.enqueue()")
        burst(program, **environ)
        assert app.job(job_id).result(timeout=1) is bool(environ)


def test_nothing_without_a_dsn(shop: Program, client: redis.Redis) -> None:
    job_id = call(shop, f"charge.enqueue(7, {CANARY!r})")
    assert client.hget(f"rq:job:{job_id}", "p:trace") is None
    burst(shop)
    assert client.zcard("rq:failed:mail") == 1


def test_a_killed_process_and_poison_are_events(shop: Program, sentry: SentryServer) -> None:
    crashed = call(shop, f"crash.enqueue({CANARY!r})")
    stuck = call(shop, f"stuck.using(timeout=1).enqueue({CANARY!r})")
    burst(shop, SENTRY_DSN=sentry.dsn, POSTROOM_HARD_GRACE="0.5")
    events = {event["tags"]["job_id"]: event for event in until(lambda: sentry.of("event"))}
    assert set(events) == {crashed, stuck}
    assert events[crashed]["tags"]["cause"] == "poison"
    assert events[crashed]["contexts"]["postroom"]["death"]["exit_code"] == -11
    assert events[stuck]["tags"]["cause"] == "killed"


TICKS = ("ticking.good", "ticking.bad", "ticking.shaky", "ticking.killed", "seconds")


def test_ticks_check_in(shop: Program, sentry: SentryServer, client: redis.Redis) -> None:
    shop.write("ticking.py", TICKING)
    schedule = "from ticking import *; from postroom.scheduler.declare import Declare; Declare().do(app)"
    assert shop.run("-c", schedule).returncode == 0
    client.zadd("postroom:ticks", dict.fromkeys(TICKS, 60))
    assert shop.run("-c", f"{schedule}; from postroom.scheduler.cron import Cron; Cron().do(app)").returncode == 0
    done = shop.run("-c", "from ticking import *; good.enqueue()")  # no tick, and so no check-in
    assert done.returncode == 0, done.stderr

    environ = {"SENTRY_DSN": sentry.dsn, "POSTROOM_HARD_GRACE": "0.5"}
    worker = shop.start("-m", "postroom", "worker", "ticking:app", "--burst", **environ)
    assert worker.wait() == 0, worker.log

    said: dict[str, list[dict[str, Any]]] = {}
    for item in sentry.of("check_in"):
        said.setdefault(item["monitor_slug"], []).append(item)
    assert {slug: [item["status"] for item in items] for slug, items in said.items()} == {
        "ticking-good": ["in_progress", "ok"],
        "ticking-bad": ["in_progress", "error"],
        "ticking-shaky": ["in_progress", "in_progress", "ok"],
        "ticking-killed": ["in_progress", "error"],
    }
    for items in said.values():
        assert len({item["check_in_id"] for item in items}) == 1
        assert items[-1]["duration"] >= 0
    assert said["ticking-good"][0]["monitor_config"] == {
        "schedule": {"type": "crontab", "value": "0 3 * * *"},
        "timezone": "Europe/Paris",
        "checkin_margin": 1,
        "max_runtime": 1,
    }
    assert said["ticking-bad"][0]["monitor_config"]["schedule"] == {"type": "interval", "value": 60, "unit": "minute"}


def test_a_dsn_that_is_none_is_refused(shop: Program) -> None:
    done = shop.run("-m", "postroom", "worker", "shop:app", "--burst", SENTRY_DSN="nonsense")
    assert done.returncode == 2
    assert "is no DSN" in done.stderr


def test_an_observer_that_fails_harms_no_job(app: Postroom) -> None:
    class Broken(Observer):
        def publishing(self, publication: object) -> Any:
            raise ValueError("no")

        def processing(self, execution: object) -> Any:
            raise ValueError("no")

        def failed(self, report: object) -> None:
            raise ValueError("no")

    app.observers.add(Broken())

    @app.task(name="t", queue="mail", retry=None)
    def task(number: int) -> int:
        return 10 // number

    good, bad = task.enqueue(2), task.enqueue(0)
    burst_here(app, "mail")
    assert good.result(timeout=1) == 5
    assert bad.status() == "failed"
