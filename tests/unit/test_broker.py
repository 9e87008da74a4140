"""The broker without a server: passwords hidden, URLs judged, and what it says and hears told apart from the wire."""

import ssl
import time
from typing import Any

import pytest
from redis.exceptions import AuthenticationError, BusyLoadingError, ConnectionError, NoScriptError, ResponseError

from postroom import ConfigError, Postroom, Unavailable
from postroom.jobs import broker
from postroom.jobs.broker import Broker, hide_password
from postroom.jobs.calls import Call
from postroom.jobs.errors import ScriptFailed
from postroom.jobs.keys import Keys


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("redis://:secret@h:6379/0", "redis://:***@h:6379/0"),
        ("rediss://me:secret@h/0?ssl_cert_reqs=none", "rediss://me:***@h/0?ssl_cert_reqs=none"),
        ("redis://me@h/0", "redis://me@h/0"),
        ("unix://me:secret@/run/redis.sock?db=1", "unix://me:***@/run/redis.sock?db=1"),
        ("unix:///run/a@b:c.sock", "unix:///run/a@b:c.sock"),
        ("redis://h?password=secret&db=1", "redis://h?password=***&db=1"),
        ("redis://h?db=1&password=secret", "redis://h?db=1&password=***"),
        ("redis://:se/cret@h:6379/0", "redis://:***@h:6379/0"),
        ("redis://:se@cret#1@h:6379/0", "redis://:***@h:6379/0"),
        ("redis://:secret@[::1:6379", "redis://:***@[::1:6379"),
        ("", ""),
        ("secret", "secret"),
    ],
)
def test_passwords_are_hidden_also_in_urls_that_cannot_be_read(url: str, shown: str) -> None:
    assert hide_password(url) == shown


@pytest.mark.parametrize(
    "url", ["redis://:secret@h:port/0", "redis://:secret@[::1:6379", "redis://:secret@h/0?socket_timeout=soon"]
)
def test_a_url_that_cannot_be_read_is_shown_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match=r"redis://:\*\*\*@.* cannot be read") as raised:
        Broker(url, Keys(), 1)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["localhost:6379", "http://h", "memory", "rediss//h"])
def test_a_url_of_another_scheme(url: str) -> None:
    with pytest.raises(ConfigError, match=r"write one of redis://, rediss://, unix://, or embedded"):
        _ = Postroom(url).broker


def test_no_url_says_what_to_do() -> None:
    app = Postroom()

    @app.task(name="t")
    def work() -> None: ...

    with pytest.raises(ConfigError) as raised:
        work.enqueue()
    for told in ("POSTROOM_REDIS_URL=redis://", "REDIS_URL", "[tool.postroom]", "POSTROOM_REDIS_URL=embedded"):
        assert told in str(raised.value)


def drive(replies: list[list[Any]], *calls: Call[Any]) -> tuple[list[Any], list[Any]]:
    """What the exchange says when it hears `replies`, and what it makes of them."""
    said: list[Any] = []

    def send(commands: Any) -> list[Any]:
        said.append([tuple(command) for command in commands])
        return replies.pop(0)

    return said, broker._drive(broker._exchange(calls), send)


FIRST = Call(("EVALSHA", "1", 0), int, "return 1")
SECOND = Call(("EVALSHA", "2", 0), int, "return 2")
PLAIN = Call(("PING",), bool)


def test_a_script_that_the_server_does_not_know_is_loaded_and_asked_again() -> None:
    unknown = NoScriptError("NOSCRIPT")
    said, heard = drive([[b"1", unknown, True, unknown], [b"sha", b"2", b"3"]], FIRST, SECOND, PLAIN, SECOND)
    assert said[1] == [("SCRIPT", "LOAD", "return 2"), ("EVALSHA", "2", 0), ("EVALSHA", "2", 0)], "each text once"
    assert heard == [1, 2, True, 3]


def test_a_refused_call_leaves_the_others_alone() -> None:
    _, heard = drive([[b"1", ResponseError("WRONGTYPE"), True]], FIRST, SECOND, PLAIN)
    assert (heard[0], heard[2]) == (1, True)
    assert isinstance(heard[1], ScriptFailed)
    assert "WRONGTYPE" in str(heard[1])


@pytest.mark.parametrize("passing", [BusyLoadingError("loading"), AuthenticationError("NOAUTH")])
def test_what_concerns_the_connection_is_not_the_scripts_failure(passing: Exception) -> None:
    with pytest.raises(type(passing)):
        drive([[passing]], FIRST)


class Down(Broker):
    """A broker whose wire raises `error`, after `seconds`."""

    def __init__(self, error: Exception, seconds: float, deadline: float) -> None:
        super().__init__("redis://:secret@h:1/0", Keys(), deadline)
        self.error, self.seconds, self.sent = error, seconds, 0

    def _take_off(self, packed: bytes) -> Any:
        self.sent += 1
        time.sleep(self.seconds)
        raise self.error


@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_it_is_tried_until_the_deadline_and_not_longer(seconds: float) -> None:
    down = Down(ConnectionError("refused"), seconds, deadline=0.3)
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"redis://:\*\*\*@h:1/0 was not reached: refused\. Is the server running"):
        down.run(PLAIN)
    assert 0.3 <= time.monotonic() - began < 0.9
    assert down.sent > 1 if not seconds else down.sent == 1


def certificate_error() -> ConnectionError:
    refused = ssl.SSLCertVerificationError(1, "verify failed")
    refused.verify_message = "self-signed certificate"
    error = ConnectionError("cannot connect")
    error.__cause__ = refused
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (AuthenticationError("WRONGPASS"), "Check the user and the password in the URL"),
        (certificate_error(), r"self-signed certificate.*\?ssl_ca_certs="),
    ],
)
def test_what_will_not_pass_by_itself_is_told_at_once(error: Exception, told: str) -> None:
    down = Down(error, 0, deadline=60)
    with pytest.raises(Unavailable, match=told):
        down.run(PLAIN)
    assert down.sent == 1
