"""`rediss://`: a certificate that does not verify is told with the option that trusts it, and that option works."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from postroom import Postroom, Unavailable
from tests.integration.programs import Program, working
from tests.servers import Server


@dataclass
class Tls:
    """A TLS end before the session's server."""

    port: int
    ca_file: Path

    @property
    def url(self) -> str:
        return f"rediss://localhost:{self.port}/0"


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Pass on what is sent until one side ends."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def serve(listening: socket.socket, context: ssl.SSLContext, behind: Path, ends: list[socket.socket]) -> None:
    """Take TLS connections, each to one of the server's behind, until the listening socket is closed."""
    while True:
        try:
            plain, _ = listening.accept()
        except OSError:
            return
        try:
            front = context.wrap_socket(plain, server_side=True)
        except OSError:  # the client does not trust the certificate
            plain.close()
            continue
        back = socket.socket(socket.AF_UNIX)
        back.connect(str(behind))
        ends += (front, back)
        for source, sink in ((front, back), (back, front)):
            threading.Thread(target=pump, args=(source, sink), daemon=True).start()


@pytest.fixture
def tls(server: Server, client: Any, tmp_path: Path) -> Iterator[Tls]:
    """A TLS end whose certificate is of an authority that nobody knows."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    ends: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening, context, server.socket, ends))
        thread.start()
        yield Tls(listening.getsockname()[1], ca_file)
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
    for end in ends:
        end.close()


HINT = (
    r"its certificate does not verify \(.*(unable to get local issuer certificate|self.signed certificate.*)\)\. "
    r"If it is yours, trust its authority: rediss://…\?ssl_ca_certs=/path/to/ca\.pem"
)


def test_a_certificate_that_does_not_verify_is_told_at_once(tls: Tls) -> None:
    app = Postroom(tls.url, deadline=60)
    with pytest.raises(Unavailable, match=HINT):
        app.enqueue("t")
    with pytest.raises(Unavailable, match=HINT):
        asyncio.run(app.aenqueue("t"))
    app.broker.close()


def test_a_certificate_of_another_host_is_told(tls: Tls) -> None:
    app = Postroom(f"rediss://127.0.0.1:{tls.port}?ssl_ca_certs={tls.ca_file}", deadline=60)
    with pytest.raises(Unavailable, match=r"its certificate does not verify \(.*127\.0\.0\.1.*\)"):
        app.enqueue("t")
    app.broker.close()


def test_the_worker_tells_it_and_ends_with_3(tls: Tls, program: Program) -> None:
    program.write("app.py", "from postroom import Postroom\napp = Postroom()\n")
    run = program.run("-m", "postroom", "worker", "app:app", "--burst", POSTROOM_REDIS_URL=tls.url)
    assert run.returncode == 3, run.stderr
    assert "its certificate does not verify" in run.stderr
    assert "?ssl_ca_certs=" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("trust", ["ssl_ca_certs={0}", "ssl_cert_reqs=none"])
def test_with_the_option_it_works(trust: str, tls: Tls) -> None:
    app = Postroom(f"{tls.url}?{trust.format(tls.ca_file)}")

    @app.task(name="double")
    def double(number: int) -> int:
        return 2 * number

    async def from_a_loop() -> int:
        return await (await double.aenqueue(4)).aresult(20)

    with working(app):
        assert double.enqueue(21).result(20) == 42
        assert asyncio.run(from_a_loop()) == 8
    app.broker.close()


def test_a_ca_file_that_is_not_there_is_named(tls: Tls) -> None:
    app = Postroom(f"{tls.url}?ssl_ca_certs=/nowhere/ca.pem", deadline=1)
    with pytest.raises(Unavailable, match=r"ssl_ca_certs=/nowhere/ca\.pem"):
        app.enqueue("t")
    app.broker.close()


def test_a_plain_server_behind_a_tls_url_is_told(client: Any) -> None:
    with Server(port=free_port()) as plain:
        app = Postroom(plain.url.replace("redis://", "rediss://"), deadline=1)
        with pytest.raises(Unavailable, match=r"was not reached"):
            app.enqueue("t")
        app.broker.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found: int = listening.getsockname()[1]
    return found
