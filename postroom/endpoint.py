"""The endpoint: one HTTP port of a pool or scheduler, for /metrics, /healthz and /readyz. Imported where it is on."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from postroom.health import Health, hasty_broker
from postroom.jobs.app import Postroom
from postroom.jobs.errors import ConfigError
from postroom.jobs.naming import import_module
from postroom.scheduler import Duty
from postroom.workers.record import Record

log = logging.getLogger("postroom.endpoint")

SLOW = 5.0
"""Seconds that a client may take to say what it wants."""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer."""

    body: bytes
    status: int = 200
    kind: str = "text/plain; charset=utf-8"


Make = Callable[[str], Page]
"""Makes a page; gets the Accept header."""


@contextmanager
def serving(
    app: Postroom, queues: Sequence[str], duties: Sequence[Duty], record: Record | None = None
) -> Iterator[None]:
    """Serve metrics and health, as the app's settings say where, while the block runs.

    Args:
        queues: those that have labels of their own.
        duties: those that this process does.
        record: of its pool; None where it has none.

    Raises:
        ConfigError: prometheus-client is not installed, or the port cannot be listened on.
    """
    broker = hasty_broker(app)
    metrics = _prometheus().Metrics(broker, queues, duties, record)
    health = Health(broker, record)
    pages: dict[str, Make] = {
        "/metrics": lambda accept: Page(*metrics.page(accept)),
        "/healthz": lambda _: _verdict(health.alive()),
        "/readyz": lambda _: _verdict(health.ready()),
    }
    server = _listen(app.settings.metrics_host, app.settings.metrics_port, pages)
    thread = threading.Thread(target=server.serve_forever, name="postroom-endpoint", daemon=True)
    thread.start()
    log.info("metrics and health on http://%s:%d", app.settings.metrics_host, server.server_port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        broker.close()


def _prometheus() -> Any:
    try:
        return import_module("postroom.integrations.prometheus")
    except ModuleNotFoundError as error:
        raise ConfigError(f"metrics need {error.name}: pip install 'postroom[metrics]'") from error


def _verdict(wrong: str) -> Page:
    return Page(f"{wrong or 'ok'}\n".encode(errors="replace"), 503 if wrong else 200)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str, port: int, pages: Mapping[str, Make]) -> None:
        self.pages = pages
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Without asking for the host's full name, as http.server does: that may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""
        log.debug("a client of the endpoint failed", exc_info=True)


def _listen(host: str, port: int, pages: Mapping[str, Make]) -> _Server:
    try:
        return _Server(host, port, pages)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error}; choose another --metrics-port") from error


class _Handler(BaseHTTPRequestHandler):
    """GET and HEAD of the pages."""

    server: _Server
    timeout = SLOW
    server_version, sys_version = "postroom", ""

    def do_GET(self) -> None:
        """A page with its body."""
        self._answer(self._page())

    def do_HEAD(self) -> None:
        """Without."""
        self._answer(self._page(), body=False)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a probe comes every few seconds."""

    def _page(self) -> Page:
        make = self.server.pages.get(self.path.partition("?")[0])
        if make is None:
            return Page(f"not here: {', '.join(self.server.pages)}\n".encode(), 404)
        try:
            return make(self.headers.get("Accept") or "")
        except Exception:
            log.exception("a page could not be made")
            return Page(b"it could not be made; the log says why\n", 500)

    def _answer(self, page: Page, *, body: bool = True) -> None:
        self.send_response(page.status)
        self.send_header("Content-Type", page.kind)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        if body:
            self.wfile.write(page.body)
