"""The task: a function that may be called, or handed over the counter."""

import warnings
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, Unpack, overload

from postroom.jobs import calls
from postroom.jobs.broker import Broker, RoundTrip
from postroom.jobs.codecs import CODECS, Codec
from postroom.jobs.errors import ConfigError
from postroom.jobs.job import Job
from postroom.jobs.keys import Keys
from postroom.jobs.limits import Limits
from postroom.jobs.messages import Batch, Placement, batch_of_one, batches
from postroom.jobs.observers import Observers, Publication
from postroom.jobs.options import OptionFields, Options
from postroom.jobs.results import Listener
from postroom.jobs.retry import DEFAULT, Retry
from postroom.jobs.settings import Settings
from postroom.jobs.signature import Signature

P = ParamSpec("P")
C_co = TypeVar("C_co", covariant=True)
R = TypeVar("R")

_UNOBSERVED = nullcontext()


class Counter(Protocol):
    """What a task needs of its app: where to hand jobs over."""

    settings: Settings
    keys: Keys
    observers: Observers

    @property
    def broker(self) -> Broker: ...
    @property
    def listener(self) -> Listener: ...


@dataclass(frozen=True, slots=True)
class Prepared(Generic[P, R]):
    """A task's name with options: what `using(…)` returns. May be kept and called any number of times."""

    counter: Counter
    name: str
    options: Options
    signature: Signature | None = None
    """What its arguments must be; None: not known here, or nothing is said."""
    limits: Limits = ()

    @property
    def codec(self) -> Codec:
        """What its calls are written in: as the call or the task says, else its messages, else the app.

        Raises:
            ConfigError: its messages ask for several, or its types are none that the codec can carry.
        """
        of_messages = self.signature.codec if self.signature else ""
        codec = CODECS[self.options.codec or of_messages or self.counter.settings.codec]
        return codec if codec.of_task is None else codec.of_task(self.name, self.signature)

    def using(self, **options: Unpack[OptionFields]) -> "Prepared[P, R]":
        """The same with some options changed.

        Raises:
            ConfigError: a value is wrong; the text names it.
        """
        return Prepared(self.counter, self.name, self.options.but(**options), self.signature, self.limits)

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job[R]:
        """Hand over one call. Where another job holds its lock (`unique=`), that one is returned, as a `duplicate`.

        Raises:
            EncodeError: an argument cannot be encoded; InvalidMessage, where it is not of its parameter's type.
            Rejected: the call is too large.
            DuplicateJob: the `job_id` is taken.
            ConfigError: what the function of `key=` or `unique_by=` returned cannot be a key. What it raises is raised
                here.
            Unavailable: the server was not reached within the deadline.
        """
        batch = self._batch(args, kwargs)
        with self._observed(batch):
            *_, ids = self.counter.broker.run_many(self._calls(batch))
        return self._job(ids[0], batch)

    async def aenqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job[R]:
        """`enqueue`, for an event loop."""
        batch = self._batch(args, kwargs)
        with self._observed(batch):
            *_, ids = await self.counter.broker.arun_many(self._calls(batch))
        return self._job(ids[0], batch)

    @overload
    def enqueue_many(self, calls: Collection[Sequence[Any]]) -> list[str]: ...
    @overload
    def enqueue_many(self, calls: Iterator[Sequence[Any]]) -> Iterator[str]: ...
    def enqueue_many(self, calls: Iterable[Sequence[Any]]) -> list[str] | Iterator[str]:
        """Hand over many calls, each a sequence of positional arguments, some hundreds in a round trip.

        A list (any collection) is enqueued at once and its job ids are returned. An iterator is read as the returned
        iterator of job ids is: an id comes when its job is acknowledged, and only one batch is ever held in memory.

        Raises:
            EncodeError, Rejected, Unavailable: as `enqueue` does. The batches before are enqueued.
            ConfigError: the options have a `job_id`.
        """
        if isinstance(calls, Collection):
            return self._send(self._batches(calls))
        return _Acknowledged(self._send_each(self._batches(calls)))

    def aenqueue_many(self, calls: Iterable[Sequence[Any]]) -> AsyncIterator[str]:
        """`enqueue_many` of any iterable, for an event loop: iterate over the result (`async for`) to enqueue."""
        return _AsyncAcknowledged(self._asend(self._batches(calls)))

    def _send(self, batches: Iterator[Batch]) -> list[str]:
        """While the server works on one batch the next is made. It leaves when that one is acknowledged, not before."""
        broker, ids = self.counter.broker, list[str]()
        under_way: RoundTrip | None = None
        try:
            for batch in batches:
                with self._observed(batch):
                    made = broker.round_trip(self._calls(batch))
                    acknowledged, under_way = under_way, None
                    ids += acknowledged.reply() if acknowledged else []
                    made.send()
                    under_way = made
        finally:
            ids += under_way.reply() if under_way else []
        return ids

    def _send_each(self, batches: Iterator[Batch]) -> Iterator[list[str]]:
        for batch in batches:
            with self._observed(batch):
                *_, ids = self.counter.broker.run_many(self._calls(batch))
            yield ids

    async def _asend(self, batches: Iterator[Batch]) -> AsyncIterator[str]:
        for batch in batches:
            with self._observed(batch):
                *_, ids = await self.counter.broker.arun_many(self._calls(batch))
            for job_id in ids:
                yield job_id

    def _observed(self, batch: Batch) -> AbstractContextManager[object]:
        """Around the call that sends it; before that is built, for the observers may add to the batch."""
        return self._told(batch) if self.counter.observers else _UNOBSERVED

    @contextmanager
    def _told(self, batch: Batch) -> Iterator[None]:
        publication = Publication(self.name, self.options.queue, batch.ids, batch.size)
        with self.counter.observers.publishing(publication) as headers:
            batch.carry(headers)
            yield

    def _batch(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Batch:
        limit, about = self.counter.settings.payload_limit, (self.signature, self.codec, self.limits)
        return batch_of_one(self.name, args, kwargs, self.options, limit, None, *about)

    def _batches(self, calls: Iterable[Sequence[Any]]) -> Iterator[Batch]:
        if self.options.job_id is not None:
            raise ConfigError(f"job_id={self.options.job_id!r} is for one job, not for many")
        limit = self.counter.settings.payload_limit
        return batches(self.name, calls, self.options, limit, self.signature, self.codec, self.limits)

    def _calls(self, batch: Batch) -> list[calls.Call[Any]]:
        """What it takes to write them: last the call that does, whose reply is their ids."""
        keys = self.counter.broker.keys
        call = calls.enqueue(keys, self.options.queue, batch, Placement.of(self.options))
        return [call] if batch.schema is None else [calls.keep_schema(keys, *batch.schema), call]

    def _job(self, job_id: str, batch: Batch) -> Job[R]:
        duplicate = job_id != batch.ids[0]
        return Job(job_id, self.counter.broker, self.counter.listener, duplicate=duplicate)


class _Unread:
    """Says so when it is dropped unread: then nothing was enqueued."""

    _read = False

    def __del__(self) -> None:
        if not self._read:
            warnings.warn(
                "enqueue_many(iterator) was not read, so nothing was enqueued: iterate over the result, or give a list",
                RuntimeWarning,
                stacklevel=2,
            )


class _Acknowledged(_Unread, Iterator[str]):
    """Job ids as they are acknowledged."""

    def __init__(self, batches: Iterator[list[str]]) -> None:
        self._ids = (job_id for batch in batches for job_id in batch)

    def __next__(self) -> str:
        self._read = True
        return next(self._ids)


class _AsyncAcknowledged(_Unread, AsyncIterator[str]):
    """Job ids as they are acknowledged, for an event loop."""

    def __init__(self, ids: AsyncIterator[str]) -> None:
        self._ids = ids

    async def __anext__(self) -> str:
        self._read = True
        return await anext(self._ids)


class TaskFunction(Protocol[P, C_co, R]):
    """A declared function: called as ever, or enqueued."""

    task: "Task[P, R]"
    __name__: str
    __qualname__: str
    __module__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> C_co: ...
    def using(self, **options: Unpack[OptionFields]) -> Prepared[P, R]: ...
    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job[R]: ...
    async def aenqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job[R]: ...
    @overload
    def enqueue_many(self, calls: Collection[Sequence[Any]]) -> list[str]: ...
    @overload
    def enqueue_many(self, calls: Iterator[Sequence[Any]]) -> Iterator[str]: ...
    def aenqueue_many(self, calls: Iterable[Sequence[Any]]) -> AsyncIterator[str]: ...


class Declare(Protocol):
    """What `@app.task(…)` is: it takes a function or a coroutine function."""

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> TaskFunction[P, Coroutine[Any, Any, R], R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> TaskFunction[P, R, R]: ...


@dataclass(frozen=True, slots=True)
class Task(Generic[P, R]):
    """A declared function with its name and its defaults."""

    name: str
    function: Callable[..., Any]
    prepared: Prepared[P, R]
    retry: Retry = DEFAULT
    isolate: bool = False

    @property
    def queue(self) -> str:
        """The queue that its jobs go to by default."""
        return self.prepared.options.queue

    @property
    def timeout(self) -> float | timedelta | None:
        """How long its jobs may run (seconds), where the call does not say."""
        return self.prepared.options.timeout

    @property
    def result_ttl(self) -> int | timedelta | None:
        """How long its results are kept (seconds), where the call does not say."""
        return self.prepared.options.result_ttl

    @property
    def signature(self) -> Signature | None:
        """What its arguments must be; None where nothing is annotated, or it was declared with typed=False."""
        return self.prepared.signature

    def attach(self) -> None:
        """Give the function its `enqueue` and the rest. It stays a plain function: RQ can enqueue and import it."""
        for name in ("using", "enqueue", "aenqueue", "enqueue_many", "aenqueue_many"):
            setattr(self.function, name, getattr(self.prepared, name))
        self.function.task = self  # type: ignore[attr-defined]
