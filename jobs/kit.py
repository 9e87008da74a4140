"""The testing kit: what stands in the broker's place while `app.testing()` lasts, and what a test may ask of it.

Calls are made, checked and encoded as ever; what is here takes them where the broker would send them. It is no Redis:
whatever asks for more than the jobs that were handed over is refused.
"""

import inspect
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Any

from postroom.jobs import calls
from postroom.jobs.broker import Broker, RoundTrip
from postroom.jobs.codecs import JSON, decode_call
from postroom.jobs.declarations import Declarations
from postroom.jobs.errors import ConfigError, DuplicateJob, ResultTimeout
from postroom.jobs.keys import Keys
from postroom.jobs.messages import batch_of_one
from postroom.jobs.options import Options

OPEN = {"queued", "scheduled", "deferred"}
"""The states of a job that nobody runs."""


@dataclass(slots=True)
class Enqueued:
    """One job that was handed over, as it was written."""

    id: str
    task: str
    args: Sequence[Any]
    """As the codec carries them."""
    kwargs: Mapping[str, Any]
    queue: str
    delay: float | None
    """Seconds; None where it was not put off."""
    run_at: datetime | None
    key: str | None
    fields: dict[str, Any] = field(repr=False)
    """Its hash."""

    @property
    def status(self) -> str:
        """As `Job.status()`; with a server, what it was at first."""
        return str(self.fields["status"])

    def __str__(self) -> str:
        said = [repr(arg) for arg in self.args] + [f"{name}={value!r}" for name, value in self.kwargs.items()]
        return f"{self.task}({', '.join(said)}) in {self.queue}"


def read_batch(call: calls.Enqueue) -> Iterator[Enqueued]:
    """The jobs that a call would write."""
    batch, place = call.batch, call.place
    common = dict(zip(batch.fields[::2], batch.fields[1::2], strict=True))
    width = 5 if batch.keyed else 3
    now = time.time()
    ends = min(float(batch.deadline or inf), now + float(batch.within or inf))
    if ends < inf:
        common["p:deadline"] = f"{ends:.6f}"
    for start in range(0, len(batch.jobs), width):
        job_id, _, data, *more = batch.jobs[start : start + width]
        task, args, kwargs = decode_call(data, common["p:type"], False, len(data))
        when = datetime.fromtimestamp(float(place.due), UTC) if place.due != "" else None
        delay = float(place.delay) if place.delay != "" else None
        about = (call.queue, delay, when, "".join(more[:1]) or None)
        yield Enqueued(job_id, task, args, kwargs, *about, {**common, "data": data})


class Kit:
    """What `with app.testing() as kit` gives. This one keeps jobs and runs none.

    Args:
        broker: what stands in the place of the app's; one that keeps what it is given, where not given.
    """

    def __init__(self, app: Declarations, broker: Broker | None = None) -> None:
        self.enqueued: list[Enqueued] = []
        """Every job that was handed over, in order. A test may clear it."""
        self._app = app
        self.broker = broker or Tray(app.keys, self.take)

    def take(self, job: Enqueued) -> None:
        """A job was handed over."""
        self.enqueued.append(job)

    def drain(self, *, with_scheduled: bool = False) -> None:
        """Run, in this process, all jobs that are queued on the server, and those that they enqueue.

        Args:
            with_scheduled: also those that are put off, retries included, as if their time had come.

        Raises:
            JobFailed: one of them has become a dead letter, and `raises` was not turned off.
            ConfigError: there is no server.
        """
        raise _no_server("drain()")

    def assert_enqueued(
        self,
        task: str | Callable[..., Any],
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        times: int | None = None,
    ) -> Enqueued:
        """Assert that a task was enqueued; the last such job, whose queue, delay and key may be looked at.

        Args:
            task: a task or its name.
            args, kwargs: of the call, whether by place or by name; any call where neither is given.
            times: how often, exactly; where not given: at least once.

        Raises:
            AssertionError: it was not; lists what was.
            InvalidMessage, EncodeError: the task could not have been called so.
        """
        if times is not None and times < 1:
            raise ConfigError(f"times={times!r}: 1 or more; none at all is assert_not_enqueued")
        found = self._find(task, args, kwargs)
        if not found or times not in {None, len(found)}:
            often = "at least once" if times is None else f"{times} times"
            told = "".join(f"\n  {job}" for job in self.enqueued) or " nothing"
            wanted = _told(_name(task), args, kwargs)
            raise AssertionError(f"expected {wanted} {often}, found it {len(found)} times; enqueued was:{told}")
        return found[-1]

    def assert_not_enqueued(
        self,
        task: str | Callable[..., Any],
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        """Assert that a task was not enqueued, or not so. Arguments and errors as of `assert_enqueued`."""
        if found := self._find(task, args, kwargs):
            raise AssertionError(f"expected no {_told(_name(task), args, kwargs)}, found {found[-1]}")

    def _find(
        self, task: str | Callable[..., Any], args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None
    ) -> list[Enqueued]:
        name = _name(task)
        of_task = [job for job in self.enqueued if job.task == name]
        if args is None and kwargs is None:
            return of_task
        if isinstance(args, str | bytes):
            raise ConfigError(f"args={args!r}: give a list or a tuple of the call's arguments")
        wanted = self._bound(name, *self._as_sent(name, args or (), kwargs or {}))
        return [job for job in of_task if self._bound(name, job.args, job.kwargs) == wanted]

    def _as_sent(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
        """The arguments of a call after they went through the codec."""
        known = self._app.tasks.get(name)
        signature, codec = (known.signature, known.prepared.codec) if known else (None, JSON)
        limit = self._app.settings.payload_limit
        data = batch_of_one(name, args, kwargs, Options(), limit, signature=signature, codec=codec).jobs[2]
        _, plain_args, plain_kwargs = decode_call(data, codec.name, False, limit)
        return plain_args, plain_kwargs

    def _bound(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """By the names of the parameters, where these are known and fit."""
        known = self._app.tasks.get(name)
        try:
            return inspect.signature(known.function).bind(*args, **kwargs).arguments if known else (args, kwargs)
        except TypeError:
            return args, kwargs


class Tray(Broker):
    """Takes jobs and says what is known of them; sends nothing."""

    def __init__(self, keys: Keys, take: Callable[[Enqueued], None]) -> None:
        self.keys = keys
        self.deadline = 0.0
        self.jobs: dict[str, Enqueued] = {}
        self._take = take

    @property
    def url(self) -> str:  # type: ignore[override]
        """There is no server."""
        raise _no_server("this")

    def round_trip(self, asked: Sequence[calls.Call[Any]]) -> RoundTrip:
        """Nothing travels."""
        return _Answered(self, asked)

    async def atry_many(self, asked: Sequence[calls.Call[Any]]) -> list[Any]:
        """Likewise."""
        return [self.answer(call) for call in asked]

    def client(self, **options: Any) -> Any:
        """There is no server."""
        raise _no_server("a connection of its own")

    def close(self) -> None:
        """Nothing is open."""

    async def aclose(self) -> None:
        """Likewise."""

    def answer(self, call: calls.Call[Any]) -> Any:
        """What the caller shall read.

        Raises:
            DuplicateJob: the id is taken.
            ResultTimeout: a result is asked for that nobody will make.
            ConfigError: only a server could answer that.
        """
        if isinstance(call, calls.Enqueue):
            for job in read_batch(call):
                if job.id in self.jobs:
                    raise DuplicateJob(job.id)
                self.jobs[job.id] = job
                self._take(job)
            return call.batch.ids
        if isinstance(call, calls.Read):
            return self._read(call.job_id, call.fields)
        if call.command[0] == "HSETNX":  # a schema, which this process knows
            return call.parse(1)
        if call.command[0] == "XREVRANGE":  # of RQ's stream of results, where none of ours has an entry
            return call.parse([])
        name = "Lua script" if call.source else call.command[0]
        raise _no_server(f"a {name}")

    def _read(self, job_id: str, fields: tuple[str, ...]) -> dict[str, bytes | None]:
        job = self.jobs.get(job_id)
        if job is None:
            return dict.fromkeys(fields)
        if "result" in fields and job.status in OPEN:
            raise ResultTimeout(f"job {job_id}, {job}, is {job.status}, and in app.testing() nobody will run it")
        found = {name: job.fields.get(name) for name in fields}
        return {name: value if value is None else _bytes(value) for name, value in found.items()}


class _Answered(RoundTrip):
    """A round trip that goes nowhere."""

    def __init__(self, tray: Tray, asked: Sequence[calls.Call[Any]]) -> None:
        self._tray, self._calls = tray, asked
        self._found: list[Any] | None = None

    def send(self) -> None:
        """Answer."""
        self._found = [self._tray.answer(call) for call in self._calls]

    def replies(self) -> list[Any]:
        """The answers."""
        if self._found is None:
            self.send()
        return self._found or []


Opener = Callable[[Any, str | None, bool], AbstractContextManager[Kit]]
KITS: dict[str, Opener] = {"fake": lambda app, _url, _raises: nullcontext(Kit(app))}
"""How a kit of each mode is made, of an app, a URL and `raises`. The front door registers those that run jobs."""


def open_kit(app: Declarations, mode: str, url: str | None, *, raises: bool) -> AbstractContextManager[Kit]:
    """A kit of this mode.

    Raises:
        ConfigError: as `Postroom.testing`.
    """
    if mode not in KITS:
        raise ConfigError(f"app.testing({mode!r}): the modes are {', '.join(KITS)}")
    if url is not None and mode != "server":
        raise ConfigError(f"app.testing({mode!r}, url=…) asks no server: write app.testing('server', url=…)")
    return KITS[mode](app, url, raises)


def _no_server(what: str) -> ConfigError:
    return ConfigError(f"{what} needs a server, and in app.testing() there is none: write app.testing('server')")


def _name(task: str | Callable[..., Any]) -> str:
    name = task if isinstance(task, str) else getattr(getattr(task, "task", None), "name", None)
    if not isinstance(name, str):
        raise ConfigError(f"task={task!r}: give a task or its name")
    return name


def _told(name: str, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None) -> str:
    if args is None and kwargs is None:
        return name
    said = [repr(arg) for arg in args or ()] + [f"{key}={value!r}" for key, value in (kwargs or {}).items()]
    return f"{name}({', '.join(said)})"


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
