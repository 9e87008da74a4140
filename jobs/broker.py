"""The broker: sends calls and reads replies. What is sent, and what a reply means, is decided elsewhere.

Every call may be sent twice: the scripts know a replay, so that a lost reply costs nothing but time. redis-py's own
retries are off, for it would repeat what is not ours to repeat. Connections are never shared across a fork (the pool
looks at the process id) nor across event loops (one pool for each).
"""

import asyncio
import logging
import os
import re
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from typing import Any, TypeVar

import redis
import redis.asyncio
from hiredis import pack_command
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, BusyLoadingError, NoScriptError, RedisError, ResponseError
from redis.retry import Retry
from tenacity import AsyncRetrying, Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from postroom.jobs.calls import Call
from postroom.jobs.errors import ConfigError, ScriptFailed, Unavailable
from postroom.jobs.keys import Keys

T = TypeVar("T")
log = logging.getLogger("postroom.broker")

SCHEMES: dict[str, Callable[[], str]] = {}
"""URLs that are words: what to call for the real one. The front door registers `embedded`."""

ASYNC_CONNECTIONS = 16
"""The most connections of one event loop."""


class Broker:
    """One server, spoken to by any thread and any event loop of this process.

    Args:
        url: `redis://`, `rediss://` or `unix://`, or a word of SCHEMES.
        deadline: seconds to try before a call raises `Unavailable`.
    """

    def __init__(self, url: str, keys: Keys, deadline: float) -> None:
        self.keys = keys
        self.deadline = deadline
        self.url = SCHEMES[url]() if url in SCHEMES else url
        self._pool = self._make_pool(redis.ConnectionPool)
        self._idle: deque[Any] = deque()
        self._pid = os.getpid()
        self._async_pools: dict[asyncio.AbstractEventLoop, tuple[Any, AsyncIterator[Any]]] = {}

    @property
    def safe_url(self) -> str:
        """The URL with its password hidden, fit for a log."""
        return hide_password(self.url)

    def run(self, call: Call[T]) -> T:
        """Send one call.

        Raises:
            Unavailable: the server was not reached within the deadline.
            ScriptFailed: the server refused; nothing will change that but somebody's doing.
        """
        return self.run_many([call])[0]  # type: ignore[no-any-return]

    def run_many(self, calls: Sequence[Call[Any]]) -> list[Any]:
        """Send calls in one round trip; raises as `run` does, and for the first call that is refused."""
        return [_or_raise(reply) for reply in self.try_many(calls)]

    def try_many(self, calls: Sequence[Call[Any]]) -> list[Any]:
        """Send calls in one round trip; a call that is refused has its ScriptFailed in its place.

        Raises:
            Unavailable: the server was not reached within the deadline.
        """
        return self.round_trip(calls).replies()

    def round_trip(self, calls: Sequence[Call[Any]]) -> "RoundTrip":
        """`try_many` in steps, for whoever has something to do while the server works."""
        return RoundTrip(self, calls)

    async def arun(self, call: Call[T]) -> T:
        """`run`, for an event loop."""
        return (await self.arun_many([call]))[0]  # type: ignore[no-any-return]

    async def arun_many(self, calls: Sequence[Call[Any]]) -> list[Any]:
        """`run_many`, for an event loop."""
        return [_or_raise(reply) for reply in await self.atry_many(calls)]

    async def atry_many(self, calls: Sequence[Call[Any]]) -> list[Any]:
        """`try_many`, for an event loop."""
        began = time.monotonic()
        try:
            return await _adrive(_exchange(calls), self._asend)
        except (RedisError, OSError) as error:
            left = self._time_left(began, error)
        try:
            return await AsyncRetrying(**_policy(left))(_adrive_again, calls, self._asend)
        except (RedisError, OSError) as error:
            raise self._unavailable(error) from error

    def ping(self) -> None:
        """Reach the server.

        Raises:
            Unavailable: it was not reached within the deadline.
        """
        self.run(Call(("PING",), bool))

    def client(self, **options: Any) -> redis.Redis:
        """A redis-py client of its own, for what blocks (waiters) and for RQ's code. The caller closes it."""
        return redis.Redis(connection_pool=self._make_pool(redis.ConnectionPool, **options))

    def close(self) -> None:
        """Close this thread-side pool's connections."""
        self._pool.disconnect()

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        if found := self._async_pools.get(asyncio.get_running_loop()):
            await found[1].aclose()  # type: ignore[attr-defined]

    def _send(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        return self._land(self._take_off(packed(commands)), len(commands))

    def _take_off(self, packed: bytes) -> Any:
        """Send; the connection, on which the replies will come."""
        connection = self._connection()
        try:
            connection.send_packed_command([packed])
        except BaseException:
            self._drop(connection)
            raise
        return connection

    def _land(self, connection: Any, count: int) -> list[Any]:
        try:
            replies = [_reply(connection.read_response) for _ in range(count)]
        except BaseException:
            self._drop(connection)  # what it would read next is not ours to know
            raise
        self._idle.append(connection)
        return replies

    def _connection(self) -> Any:
        # redis-py's pool looks at a connection before it lends it, and takes a third of the time of a call for that.
        # Ours need no look: a call that fails is sent again.
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._idle = deque()  # a fork: they are the parent's
        try:
            return self._idle.pop()
        except IndexError:
            return self._pool.get_connection()

    def _drop(self, connection: Any) -> None:
        connection.disconnect()
        self._pool.release(connection)

    async def _asend(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        pool = await self._async_pool()
        connection = await pool.get_connection()
        try:
            await connection.send_packed_command([packed(commands)])
            replies: list[Any] = []
            for _ in commands:
                try:
                    replies.append(await connection.read_response())
                except ResponseError as error:
                    replies.append(error)
            return replies
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        finally:
            await pool.release(connection)

    async def _async_pool(self) -> Any:
        loop = asyncio.get_running_loop()
        if loop not in self._async_pools:
            for closed in [known for known in self._async_pools if known.is_closed()]:
                del self._async_pools[closed]
            keeper = self._keep_pool(loop)
            self._async_pools[loop] = (await anext(keeper), keeper)
        return self._async_pools[loop][0]

    async def _keep_pool(self, loop: asyncio.AbstractEventLoop) -> AsyncIterator[Any]:
        """A loop's pool. asyncio.run() and its like end a loop's generators before they close it, and so this one."""
        # Any number of coroutines may call at once; they take turns with a few connections.
        pool = self._make_pool(redis.asyncio.BlockingConnectionPool, max_connections=ASYNC_CONNECTIONS, timeout=None)
        try:
            yield pool
        finally:
            self._async_pools.pop(loop, None)
            await pool.disconnect()

    def _make_pool(self, kind: Any, **options: Any) -> Any:
        defaults = {
            "socket_timeout": self.deadline,
            "socket_connect_timeout": min(2.0, self.deadline),
            "retry": Retry(NoBackoff(), 0),
            "max_connections": 2**16,  # one for each thread that calls at the same time
            "protocol": 2,
            "driver_info": None,
        }
        if not self.url.startswith("unix://"):
            defaults["socket_keepalive"] = True
        try:
            return kind.from_url(self.url, **{**defaults, **options})
        except (ValueError, TypeError) as error:
            told = str(error).partition(" as ")[0]  # what follows may be a part of the password
            raise ConfigError(
                f"the server's URL {self.safe_url!r} cannot be read: {told} (in a password / ? # @ are %2F %3F %23 %40)"
            ) from None

    def _time_left(self, began: float, error: Exception) -> float:
        left = began + self.deadline - time.monotonic()
        if left <= 0 or not _passing(error):
            raise self._unavailable(error) from error
        return left

    def _unavailable(self, error: Exception) -> Unavailable:
        return Unavailable(f"{self.safe_url} was not reached: {_explain(error)}")


class RoundTrip:
    """Calls on their way: made, they are packed; sent, the server works on them while the caller does something else.
    Who sends them must ask for the replies.
    """

    def __init__(self, broker: Broker, calls: Sequence[Call[Any]]) -> None:
        self._broker, self._calls = broker, calls
        self._exchange = _exchange(calls)
        self._packed = packed(next(self._exchange))
        self._began = 0.0
        self._connection: Any = None
        self._error: RedisError | OSError | None = None

    def send(self) -> None:
        """Send them. Never raises for the server's sake: `replies` does, after it has tried again."""
        self._began = time.monotonic()
        try:
            self._connection = self._broker._take_off(self._packed)
        except (RedisError, OSError) as error:
            self._error = error

    def reply(self) -> Any:
        """What the last call brings.

        Raises:
            Unavailable, ScriptFailed: as `Broker.run` does.
        """
        return [_or_raise(reply) for reply in self.replies()][-1]

    def replies(self) -> list[Any]:
        """Wait for the replies; one that is a refusal is a ScriptFailed.

        Raises:
            Unavailable: the server was not reached within the deadline.
        """
        if not self._began:
            self.send()
        broker = self._broker
        try:
            if self._error is not None:
                raise self._error
            landed = broker._land(self._connection, len(self._calls))
            return _drive(self._exchange, broker._send, landed)
        except (RedisError, OSError) as error:
            left = broker._time_left(self._began, error)
        try:
            return Retrying(**_policy(left))(lambda: _drive(_exchange(self._calls), broker._send))
        except (RedisError, OSError) as error:
            raise broker._unavailable(error) from error


Exchange = Generator[Sequence[Sequence[Any]], list[Any], list[Any]]


def _exchange(calls: Sequence[Call[Any]]) -> Exchange:
    """What is said and heard, without the wire: yields commands, is sent their replies, returns what they mean."""
    replies = yield [call.command for call in calls]
    unknown = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    if unknown:
        sources = {calls[i].source for i in unknown}
        again = yield [*(("SCRIPT", "LOAD", source) for source in sources), *(calls[i].command for i in unknown)]
        for i, reply in zip(unknown, again[len(sources) :], strict=True):
            replies[i] = reply
    return [_meaning(call, reply) for call, reply in zip(calls, replies, strict=True)]


def _meaning(call: Call[Any], reply: Any) -> Any:
    if isinstance(reply, BusyLoadingError | AuthenticationError):
        raise reply
    return ScriptFailed(str(reply)) if isinstance(reply, Exception) else call.parse(reply)


def _or_raise(reply: Any) -> Any:
    if isinstance(reply, ScriptFailed):
        raise reply
    return reply


def packed(commands: Sequence[Sequence[Any]]) -> bytes:
    """The commands on the wire, in one piece: each piece costs a system call and a hand-over of the GIL."""
    return b"".join([pack_command(tuple(command)) for command in commands])


def _drive(
    exchange: Exchange, send: Callable[[Sequence[Sequence[Any]]], list[Any]], heard: list[Any] | None = None
) -> list[Any]:
    """`heard`: the replies to what the exchange has said already."""
    try:
        commands = next(exchange) if heard is None else exchange.send(heard)
        while True:
            commands = exchange.send(send(commands))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


async def _adrive(exchange: Exchange, send: Callable[[Sequence[Sequence[Any]]], Any]) -> list[Any]:
    try:
        commands = next(exchange)
        while True:
            commands = exchange.send(await send(commands))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


async def _adrive_again(calls: Sequence[Call[Any]], send: Callable[[Sequence[Sequence[Any]]], Any]) -> list[Any]:
    return await _adrive(_exchange(calls), send)


def _policy(seconds: float) -> dict[str, Any]:
    """tenacity's arguments for the connection: try until the time is over, apart from each other (no herd)."""
    return {
        "stop": stop_after_delay(seconds),
        "wait": wait_random_exponential(multiplier=0.02, max=0.5),
        "retry": retry_if_exception(_passing),
        "reraise": True,
    }


def _reply(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except ResponseError as error:
        return error


def _passing(error: BaseException) -> bool:
    """May this pass by itself? A wrong password and a certificate that does not verify will not; an answer is none."""
    broken = isinstance(error, RedisError | OSError) and not isinstance(error, AuthenticationError)
    return broken and _certificate(error) is None


def _certificate(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _explain(error: Exception) -> str:
    refused = _certificate(error)
    if refused is not None:
        return (
            f"its certificate does not verify ({refused.verify_message}). If it is yours, trust its authority: "
            "rediss://…?ssl_ca_certs=/path/to/ca.pem; to trust anybody, in a test only: ?ssl_cert_reqs=none"
        )
    if isinstance(error, AuthenticationError):
        return f"{error}. Check the user and the password in the URL: redis://user:password@host:port/0"
    return f"{error}. Is the server running there? The URL comes from POSTROOM_REDIS_URL, REDIS_URL or [tool.postroom]"


_PASSWORD = re.compile(r"(?<=://)([^:/?#@]*):(?!\d+(?:[/?#]|$))(?:[^?]*|.*)@")
_PASSWORD_IN_QUERY = re.compile(r"([?&]password=)[^&]*")


def hide_password(url: str) -> str:
    """`url` with its password replaced by ***, also where it cannot be read as a URL."""
    return _PASSWORD_IN_QUERY.sub(r"\1***", _PASSWORD.sub(r"\1:***@", url, count=1))
