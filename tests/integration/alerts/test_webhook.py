"""Notices on their way to a real receiver, which verifies them."""

import json
import ssl
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

from postroom import Postroom
from postroom.monitor.alerts import duties
from postroom.monitor.alerts.duties import Deliver, deliver, judge
from postroom.monitor.alerts.notice import Notice
from postroom.monitor.alerts.rules import Rules, Webhook
from postroom.monitor.alerts.webhook import NotTaken, Refused, post
from postroom.scheduler.recover import Recover
from tests.integration.alerts.conftest import Write
from tests.integration.alerts.receiver import KEY, Receiver, forever, receiving, status
from tests.integration.programs import until
from tests.servers import Server

SILENT = '[[rule]]\nname = "silent"\nscheduler_silent = "1s"\n'


@pytest.fixture
def fired(app: Postroom, write: Write) -> Rules:
    """A rule that fires, since nobody ever did the duties: its notice is to be delivered."""
    rules = write(SILENT)
    judge(app, rules)
    return rules


@pytest.fixture
def to(receiver: Receiver) -> Webhook:
    """The receiver."""
    return Webhook("ops", receiver.url, KEY, allow_private=True, timeout=1)


def left(client: Any) -> int:
    return int(client.hlen("postroom:notices"))


def test_it_is_signed_and_told_once(app: Postroom, fired: Rules, receiver: Receiver, client: Any) -> None:
    assert left(client) == 1
    for _ in range(3):
        deliver(app, fired)
    (got,) = receiver.got
    assert (got.path, got.event["type"]) == ("/in?x=1", "alert.firing")
    assert got.event["data"]["text"] == "silent: no worker or scheduler ever did the duties"
    assert left(client) == 0


def test_another_secret_is_not_taken(app: Postroom, to: Webhook, receiver: Receiver) -> None:
    """The receiver does verify."""
    with pytest.raises(NotTaken, match="401"):
        post(replace(to, key=b"x" * 32), "m", int(time.time()), b"{}")
    assert not receiver.got


def test_it_is_repeated_with_the_same_id_also_by_others(
    app: Postroom, fired: Rules, receiver: Receiver, server: Server, client: Any
) -> None:
    receiver.answers = [status(500), status(503)]
    deliver(app, fired)
    assert receiver.states == ["firing"]
    deliver(app, fired)
    assert receiver.states == ["firing"], "not before its time"
    # Who tried is gone; another process goes on.
    other = Postroom(server.url)

    def told() -> bool:
        deliver(other, fired)
        return not left(client)

    until(told)
    other.broker.close()
    assert len(receiver.got) == 3
    assert len({got.id for got in receiver.got}) == 1


def test_over_waits_for_firing(app: Postroom, write: Write, receiver: Receiver, client: Any) -> None:
    rules = write(f'{SILENT}calm = "0s"\n')
    judge(app, rules)
    receiver.answers = [status(500)]
    deliver(app, rules)
    Recover().do(app)
    judge(app, rules)
    assert left(client) == 2
    deliver(app, rules)
    assert receiver.states == ["firing"]

    def told() -> bool:
        deliver(app, rules)
        return not left(client)

    until(told)
    assert receiver.states == ["firing", "firing", "over"]


def test_it_gives_up(app: Postroom, fired: Rules, receiver: Receiver, client: Any, caplog: Any) -> None:
    text = client.hvals("postroom:notices")[0].replace(b'"attempt":0', b'"attempt":11')
    client.hset("postroom:notices", client.hkeys("postroom:notices")[0], text)
    receiver.answers = [status(500)]
    deliver(app, fired)
    assert left(client) == 0
    assert "ops was not told, and will not be: silent: no worker" in caplog.text
    assert "500" in caplog.text


def test_two_deliver_at_once(app: Postroom, fired: Rules, receiver: Receiver, server: Server, client: Any) -> None:
    """Who has seen a notice before another took it finds it changed."""
    other = Postroom(server.url)

    def late(request: Any) -> None:
        deliver(other, fired)
        duties._deliver(other, fired, seen, msgspec.json.decode(seen, type=Notice), time.time())
        status(200)(request)

    seen = client.hvals("postroom:notices")[0].decode()
    receiver.answers = [late]
    deliver(app, fired)
    other.broker.close()
    assert len(receiver.got) == 1
    assert left(client) == 0


def test_a_notice_whose_deliverer_died_is_told(
    app: Postroom, fired: Rules, receiver: Receiver, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duties, "HELD", -1.0)

    def die(*_: Any) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(duties, "send", die)
        with pytest.raises(KeyboardInterrupt):
            deliver(app, fired)
    assert left(client) == 1
    deliver(app, fired)
    assert receiver.states == ["firing"]


def test_a_redirect_is_not_followed(app: Postroom, fired: Rules, receiver: Receiver, client: Any) -> None:
    receiver.answers = [status(307, location=receiver.url.replace("/in", "/other"))]
    deliver(app, fired)
    assert [got.path for got in receiver.got] == ["/in?x=1"]
    assert left(client) == 0, "it would redirect again"


def test_a_private_address_is_not_reached(to: Webhook, receiver: Receiver) -> None:
    for url in (receiver.url, receiver.url.replace("127.0.0.1", "localhost")):
        with pytest.raises(Refused, match="allow_private"):
            post(replace(to, url=url, allow_private=False), "m", int(time.time()), b"{}")
    assert not receiver.got


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda _: time.sleep(3), id="nothing"),
        pytest.param(forever(b"HTTP/1.1 200 OK\r\nx: ", b"y", every=0.1), id="a header, byte by byte"),
        pytest.param(forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", every=0.1), id="continue, and continue"),
    ],
)
def test_a_receiver_that_hangs(answer: Any, to: Webhook, receiver: Receiver) -> None:
    receiver.answers = [answer]
    with pytest.raises(NotTaken, match="no answer within 1 s"):
        post(to, "m", int(time.time()), b'{"data": {"state": "x"}}')


def test_a_body_without_end_is_not_read(to: Webhook, receiver: Receiver) -> None:
    receiver.answers = [forever(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 10_000)]
    assert post(to, "m", int(time.time()), b"{}") == "200 OK"


@pytest.mark.parametrize("garbage", [b"no HTTP\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000 + b"\r\n", b""])
def test_an_answer_that_is_none(garbage: bytes, to: Webhook, receiver: Receiver) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(garbage)

    receiver.answers = [answer]
    with pytest.raises(NotTaken):
        post(to, "m", int(time.time()), b"{}")


def test_gone_for_good(to: Webhook, receiver: Receiver) -> None:
    receiver.answers = [status(410)]
    with pytest.raises(Refused, match="410"):
        post(to, "m", int(time.time()), b"{}")


def test_a_receiver_that_is_not_there(to: Webhook) -> None:
    with pytest.raises(NotTaken, match="ConnectionRefusedError"):
        post(replace(to, url="http://127.0.0.1:1"), "m", 1, b"{}")
    with pytest.raises(NotTaken, match="gaierror"):
        post(replace(to, url="http://nowhere.invalid"), "m", 1, b"{}")


def test_tls_with_the_certificate_of_its_name(to: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with receiving(context) as receiver:
        secure = replace(to, url=receiver.url)
        with pytest.raises(NotTaken, match="certificate"):
            post(secure, "m", int(time.time()), b"{}")
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert post(secure, "m", int(time.time()), b"{}") == "204 No Content"
        with pytest.raises(NotTaken, match="certificate"):
            post(replace(to, url=receiver.url.replace("localhost", "127.0.0.1")), "m", int(time.time()), b"{}")
        assert len(receiver.got) == 1


def test_a_notice_for_a_webhook_that_another_knows_waits_a_day(
    app: Postroom, fired: Rules, receiver: Receiver, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = replace(fired, webhooks={})
    deliver(app, ours)
    assert left(client) == 1
    monkeypatch.setattr(duties, "FORGOTTEN", 0.0)
    deliver(app, ours)
    assert left(client) == 0
    assert not receiver.got


def test_a_slow_receiver_delays_no_other(app: Postroom, fired: Rules, receiver: Receiver, client: Any) -> None:
    seen, go_on = msgspec.json.decode(client.hvals("postroom:notices")[0], type=Notice), threading.Event()

    def slow(request: BaseHTTPRequestHandler) -> None:
        go_on.wait(5)
        status(204)(request)

    receiver.answers = [slow]
    with receiving() as other:
        ops = replace(fired.webhooks["ops"], timeout=10)
        rules = replace(fired, webhooks={"ops": ops, "other": replace(ops, name="other", url=other.url)})
        duty = Deliver(rules)
        duty.do(app)
        for number, target in enumerate(("ops", "other")):
            one = msgspec.structs.replace(seen, id=f"n{number}", rule=f"r{number}", target=target)
            client.hset("postroom:notices", one.id, msgspec.json.encode(one))
        duty.do(app)
        assert (receiver.states, other.states) == (["firing"], ["firing"])
        assert left(client) == 2
        go_on.set()

        def all_told() -> bool:
            duty.do(app)
            return not left(client)

        until(all_told)
    assert receiver.states == ["firing", "firing"]


def test_a_receiver_gets_so_many_seconds_in_a_round(
    app: Postroom, fired: Rules, receiver: Receiver, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = msgspec.json.decode(client.hvals("postroom:notices")[0], type=Notice)
    another = msgspec.structs.replace(seen, id="n", rule="r")
    client.hset("postroom:notices", another.id, msgspec.json.encode(another))
    monkeypatch.setattr(duties, "LANE", 0.3)

    def slow(request: BaseHTTPRequestHandler) -> None:
        time.sleep(0.4)
        status(204)(request)

    receiver.answers = [slow]
    deliver(app, fired)
    assert len(receiver.got) == 1
    deliver(app, fired)
    assert len(receiver.got) == 2


def test_what_cannot_be_read_is_dropped(
    app: Postroom, fired: Rules, receiver: Receiver, client: Any, caplog: Any
) -> None:
    (text,) = client.hvals("postroom:notices")
    newer = {"at": time.time(), "state": {"firing": True}}
    stored = {"a": "{", b"\xff": b"\xff", "c": json.dumps({"at": 5.0}), "d": text, "e": json.dumps(newer)}
    client.hset("postroom:notices", mapping=stored)
    deliver(app, fired)
    assert sorted(client.hkeys("postroom:notices")) == [b"d", b"e"], "these may be for others"
    assert caplog.text.count("cannot be read and is dropped") == 3
    assert receiver.states == ["firing"]
