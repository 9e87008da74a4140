"""A signed POST to an address that was looked at first.

Signed as https://www.standardwebhooks.com says. The name is resolved once, and the connection goes to one of the very
addresses that were checked, so that no second answer of the name server can lead it elsewhere.
"""

import base64
import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from postroom.jobs.failure import one_line
from postroom.monitor.alerts.rules import Webhook

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """It will not be posted there, however often one tries."""


class NotTaken(Exception):
    """The receiver did not take it, and may later."""


def signature(key: bytes, message: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`."""
    signed = f"{message}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def post(webhook: Webhook, message: str, timestamp: int, body: bytes) -> str:
    """Hand it over; what the receiver answered, e.g. `204 No Content`.

    Args:
        message: the id by which the receiver knows a repetition.
        timestamp: of this attempt, in seconds since the epoch.

    Raises:
        Refused: its address is private, it redirects, or it is gone for good (410).
        NotTaken: there was no answer, or any other one that is no 2xx.
    """
    url = urlsplit(webhook.url)
    secure, host = url.scheme == "https", url.hostname or ""
    port = url.port or (443 if secure else 80)
    headers = {
        "content-type": "application/json",
        "user-agent": "Postroom",
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(webhook.key, message, timestamp, body),
    }
    ends = time.monotonic() + webhook.timeout
    try:
        addresses = resolve(host, port, private=webhook.allow_private)
        connection = _Connection(host, port, addresses, ends, secure=secure)
        try:
            connection.request("POST", (url.path or "/") + (f"?{url.query}" if url.query else ""), body, headers)
            # Of the answer the head is read, which http.client bounds, and never the body: nobody would look at it.
            answer = connection.getresponse()
            if time.monotonic() >= ends:
                raise TimeoutError  # cut in the middle, a head looks like a whole one
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        late = time.monotonic() >= ends
        raise NotTaken(f"{host}: {f'no answer within {webhook.timeout:g} s' if late else one_line(error)}") from error
    said = f"{answer.status} {answer.reason}".rstrip()
    if 300 <= answer.status < 400 or answer.status == 410:
        raise Refused(f"{host} answered {said}: set the url to where it is to go")
    if not 200 <= answer.status < 300:
        raise NotTaken(f"{host} answered {said}")
    return said


def resolve(host: str, port: int, *, private: bool) -> Sequence[str]:
    """The addresses of a host.

    Raises:
        OSError: it has none.
        Refused: one of them is not public, and `private` ones are not allowed.
    """
    found = dict.fromkeys(str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    inner = [] if private else [address for address in found if not is_public(address)]
    if inner:
        raise Refused(f"{host} is at {', '.join(inner)}, no public address: allow_private = true allows it")
    return list(found)


def is_public(text: str) -> bool:
    """Is it an address that the whole internet knows by the same name? An IPv4 address inside an IPv6 one counts."""
    address = ipaddress.ip_address(text.partition("%")[0])
    return all(inner.is_global and not inner.is_multicast and not inner.is_reserved for inner in _inside(address))


def _inside(address: Address) -> Sequence[Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    tunnel = [address.sixtofour, *(address.teredo or ())]
    return [address, *(inner for inner in tunnel if inner)]


class _Connection(http.client.HTTPConnection):
    """To the first of these addresses that takes it, under the name that they were found by, until `ends` (as of
    time.monotonic): a socket's own timeout would begin anew with each byte.
    """

    def __init__(self, host: str, port: int, addresses: Sequence[str], ends: float, *, secure: bool) -> None:
        super().__init__(host, port)
        self.default_port = 443 if secure else 80
        self._addresses, self._ends = addresses, ends
        self._secure = ssl.create_default_context() if secure else None
        self._clock = threading.Timer(max(0.0, ends - time.monotonic()), self._cut)
        self._clock.daemon = True

    def connect(self) -> None:
        self._clock.start()
        self.sock = plain = self._reach()
        if self._secure:
            # In two steps, so that the handshake can be cut, too.
            self.sock = self._secure.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock.do_handshake()

    def _reach(self) -> socket.socket:
        failed: OSError | None = None
        for address in self._addresses:
            try:
                return socket.create_connection((address, self.port), max(0.001, self._ends - time.monotonic()))
            except OSError as error:
                failed = error
        raise failed or OSError("it has no address")

    def close(self) -> None:
        self._clock.cancel()
        super().close()

    def _cut(self) -> None:
        try:
            if self.sock is not None:
                self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it has ended by itself
