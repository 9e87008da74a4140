"""A Sentry of the tests' own on loopback: it takes envelopes and keeps what they hold."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class SentryServer:
    """Listens until it is closed."""

    def __init__(self) -> None:
        self.raw: list[str] = []
        """Each envelope as a text."""
        self.items: list[tuple[str, dict[str, Any]]] = []
        """Each item: its type and its document."""
        kept = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                kept.take(body)
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.dsn = f"http://key@127.0.0.1:{self._server.server_port}/1"

    def take(self, body: bytes) -> None:
        """Keep an envelope (https://develop.sentry.dev/sdk/data-model/envelopes/)."""
        self.raw.append(body.decode(errors="replace"))
        _, _, rest = body.partition(b"\n")
        while rest:
            head, _, rest = rest.partition(b"\n")
            header = json.loads(head)
            size = header.get("length", rest.find(b"\n"))
            self.items.append((header["type"], json.loads(rest[:size])))
            rest = rest[size:].lstrip(b"\n")

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The documents of one type: `event`, `transaction`."""
        return [document for name, document in list(self.items) if name == kind]

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
