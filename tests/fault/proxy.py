"""A proxy between one client process and the server: it reads command by command, and drops or holds some."""

import contextlib
import socket
import threading
from typing import BinaryIO, Self

BEFORE, AFTER, LATE = "before it was sent", "after it ran", "and it came late"
PHASES = (BEFORE, AFTER, LATE)
LATER = 3
"""The commands that overtake a late one."""


def frame(stream: BinaryIO) -> bytes:
    """The next command or reply (RESP 2) as it came; b"" where the stream has ended."""
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        return b""
    kind, size = line[:1], line[1:-2]
    if kind == b"$" and size != b"-1":
        body = stream.read(int(size) + 2)
        return line + body if len(body) == int(size) + 2 else b""
    if kind == b"*":
        parts = [frame(stream) for _ in range(max(int(size), 0))]
        return line + b"".join(parts) if all(parts) else b""
    return line


class Proxy:
    """Listens on a loopback port of its own; each connection is served by a thread, one command after another.

    Args:
        url: the server's, `unix://` or `redis://127.0.0.1:port`.
        drop: the number of the command whose connection is closed; 0: none.
        phase: BEFORE: it never reaches the server; AFTER: its reply is thrown away; LATE: it reaches the server when
            LATER others have been answered, as what a broken network delivers after all.
    """

    def __init__(self, url: str, drop: int = 0, phase: str = BEFORE) -> None:
        self._upstream, self._drop, self._phase = url, drop, phase
        self.commands = 0
        """How many were seen."""
        self.dropped = False
        self.passed: list[bytes] = []
        """Every command that went on to the server, as it came."""
        self._late: bytes = b""
        self._lock = threading.Lock()
        self._flows = threading.Event()
        self._flows.set()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"
        self._go(self._accept)

    def hold(self) -> None:
        """Let nothing pass, and leave every connection open."""
        self._flows.clear()

    def release(self) -> None:
        """Let pass what was held, and whatever comes."""
        self._flows.set()

    def deliver(self, command: bytes) -> bytes:
        """Send it to the server on a connection of its own; the reply, which nobody waits for."""
        with _connected(self._upstream) as server, server.makefile("rb") as told:
            server.sendall(command)
            return frame(told)

    def close(self) -> None:
        """Close all connections, and end."""
        with self._lock:
            self._closed = True
            for one in (self._listener, *self._sockets):
                _shut(one)
        self.release()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _go(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name="proxy", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # it was shut
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._go(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        server = _connected(self._upstream)
        with client, server, client.makefile("rb") as asked, server.makefile("rb") as told:
            with self._lock:
                if self._closed:
                    return
                self._sockets |= {client, server}
            try:
                with contextlib.suppress(OSError):  # one of the two has hung up: so do we
                    self._pass_on(client, server, asked, told)
            finally:
                for one in (client, server):
                    _shut(one)
                with self._lock:
                    self._sockets -= {client, server}

    def _pass_on(self, client: socket.socket, server: socket.socket, asked: BinaryIO, told: BinaryIO) -> None:
        subscribed = False
        while command := frame(asked):
            drop = self._is_the_one()
            if drop and self._phase != AFTER:
                self._late = command if self._phase == LATE and not subscribed else b""
                return
            self._flows.wait()
            self.passed.append(command)
            server.sendall(command)
            if subscribed:
                continue
            reply = frame(told)
            if drop or not reply:
                return
            self._deliver_late()
            self._flows.wait()
            client.sendall(reply)
            if b"\r\nSUBSCRIBE\r\n" in command[:32].upper():
                subscribed = True
                self._go(self._pump, told, client)

    def _is_the_one(self) -> bool:
        with self._lock:
            self.commands += 1
            found = self.commands == self._drop
            self.dropped |= found
            return found

    def _deliver_late(self) -> None:
        with self._lock:
            if self.commands < self._drop + LATER:
                return
            late, self._late = self._late, b""
        if late:
            self.deliver(late)

    def _pump(self, told: BinaryIO, client: socket.socket) -> None:
        """What a subscriber is told comes unasked."""
        with contextlib.suppress(OSError, ValueError):  # ValueError: closed meanwhile
            while message := frame(told):
                self._flows.wait()
                client.sendall(message)
        _shut(client)


def _connected(url: str) -> socket.socket:
    if url.startswith("unix://"):
        server = socket.socket(socket.AF_UNIX)
        server.connect(url.removeprefix("unix://"))
        return server
    host, port = url.removeprefix("redis://").split(":")
    return socket.create_connection((host, int(port)))


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is not connected any more
        one.shutdown(socket.SHUT_RDWR)
