"""A receiver of webhooks: a real HTTP server of this process, which verifies what it gets."""

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Got:
    """One request."""

    path: str
    id: str
    event: dict[str, Any]

    @property
    def state(self) -> str:
        """What it tells."""
        return str(self.event["data"]["state"])


@dataclass
class Receiver:
    """What it got, and how it answers: the next of `answers`, and 204 when there is none left."""

    url: str
    got: list[Got] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def take(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Verify and answer. The signature is computed from the specification, not by our own code."""
        body = request.rfile.read(int(request.headers["content-length"]))
        message, at = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        expected = hmac.new(KEY, f"{message}.{at}.".encode() + body, hashlib.sha256).digest()
        version, _, signature = request.headers["webhook-signature"].partition(",")
        signed = version == "v1" and base64.b64decode(signature) == expected and abs(time.time() - int(at)) < 60
        if not signed or request.headers["content-type"] != "application/json":
            return status(401)(request)
        self.got.append(Got(request.path, message, json.loads(body)))
        return (self.answers.pop(0) if self.answers else status(204))(request)

    @property
    def states(self) -> list[str]:
        """What was told, in order."""
        return [got.state for got in self.got]


def status(code: int, **headers: str) -> Answer:
    """Answer with this."""

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("content-length", "0")
        request.end_headers()

    return answer


def forever(*pieces: bytes, every: float = 0.0) -> Answer:
    """Send the first piece, and then the second one again and again, as long as anybody listens."""

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        head, again = pieces
        with contextlib.suppress(OSError):
            request.wfile.write(head)
            while True:
                request.wfile.write(again)
                time.sleep(every)

    return answer


@contextlib.contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver on this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        """Of one request."""

        def do_POST(self) -> None:
            found.take(self)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(http.server.ThreadingHTTPServer):
        """Quiet where a client does not like its certificate."""

        def handle_error(self, *_: Any) -> None:
            """Say nothing."""

    with Server(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        scheme, host = ("https", "localhost") if tls else ("http", "127.0.0.1")
        found = Receiver(f"{scheme}://{host}:{server.server_port}/in?x=1")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
