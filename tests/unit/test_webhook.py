"""Webhooks: which addresses are public, and the signature."""

import base64
import socket
from typing import Any

import pytest

from postroom.monitor.alerts.rules import Webhook
from postroom.monitor.alerts.webhook import NotTaken, Refused, is_public, post, resolve, signature

PUBLIC = ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822", "2002:5db8:d822::1"]
INNER = [
    *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1"),  # noqa: S104
    *("169.254.169.254", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
    *("2002:7f00:1::1", "2001:0:7f00:1::1"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", INNER)
def test_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "localhost", "::1", "0"])
def test_however_the_loopback_is_written(host: str) -> None:
    with pytest.raises(Refused, match="allow_private"):
        resolve(host, 80, private=False)


def answer(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """The name server's answer, and who asked."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> Any:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, "93.184.216.34", "10.0.0.7")
    with pytest.raises(Refused, match=r"is at 10\.0\.0\.7, no public"):
        resolve("ops.example", 443, private=False)
    assert resolve("ops.example", 443, private=True) == ["93.184.216.34", "10.0.0.7"]


def test_it_connects_to_the_addresses_that_were_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second answer of a name server that rebinds is never asked for."""
    asked = answer(monkeypatch, "93.184.216.34", "93.184.216.35")
    reached = []

    def create_connection(address: tuple[str, int], timeout: float) -> Any:
        reached.append(address)
        raise ConnectionRefusedError("nobody")

    monkeypatch.setattr(socket, "create_connection", create_connection)
    with pytest.raises(NotTaken, match=r"ops\.example: ConnectionRefusedError: nobody"):
        post(Webhook("ops", "https://ops.example/x", b"k" * 24), "m", 1, b"{}")
    assert asked == ["ops.example"]
    assert reached == [("93.184.216.34", 443), ("93.184.216.35", 443)]


def test_the_signature_is_that_of_the_specification() -> None:
    """The example that the tests of https://github.com/standard-webhooks/standard-webhooks share."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert (
        signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )
