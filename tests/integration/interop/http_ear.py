"""A web server that hears webhooks, in a thread of the test."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Ear:
    """What was heard: `(method, path, headers, document)` of each request, in order.

    `/away` redirects to `/elsewhere`; `/garbage` answers what is no HTTP; all else is taken.
    """

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, dict[str, str], Any]] = []
        self.before_answering: Callable[[], None] = lambda: None
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._take(None)

            def do_POST(self) -> None:
                self._take(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def _take(self, document: Any) -> None:
                ear.heard.append((self.command, self.path, dict(self.headers), document))
                ear.before_answering()
                if self.path == "/garbage":
                    self.wfile.write(b"what?\r\n\r\n")
                    return
                self.send_response(302 if self.path == "/away" else 204)
                if self.path == "/away":
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [path for _, path, _, _ in self.heard]

    @contextmanager
    def listening(self) -> Iterator["Ear"]:
        """Hear until the end of the block."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
