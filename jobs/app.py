"""The app: what a program declares its tasks on, and the counter where it hands jobs over."""

import inspect
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar, Unpack, overload

from postroom.jobs.broker import SCHEMES, Broker
from postroom.jobs.burial import ALERTS, Burial, Hook, takes_burial
from postroom.jobs.errors import ConfigError, UnknownTask
from postroom.jobs.job import Job
from postroom.jobs.keys import JOB_ID, Keys
from postroom.jobs.naming import import_function, import_module, task_name
from postroom.jobs.observers import Observers
from postroom.jobs.options import OptionFields, Options, check_queue_name
from postroom.jobs.queue import Queue
from postroom.jobs.results import Listener
from postroom.jobs.retry import DEFAULT, NEVER, Retry
from postroom.jobs.settings import Settings
from postroom.jobs.task import Declare, Prepared, Task, TaskFunction

P = ParamSpec("P")
R = TypeVar("R")
Told = TypeVar("Told", bound=Callable[[Burial], Any])

after_load: list[Callable[["Postroom"], None]] = []
"""Called with each app that a worker has loaded. The front door registers what activates its integrations."""
_PLAIN_SCHEMES = ("redis://", "rediss://", "unix://")


class Postroom:
    """An app: its tasks, its server, its settings.

    Args:
        url: the server; where not given `POSTROOM_REDIS_URL`, `REDIS_URL`, or `redis_url` in `[tool.postroom]`.
            `"embedded"` is the server that Postroom runs in this project's folder.
        include: modules to import before work begins, because they declare tasks.
        allow: dotted names of functions that are not tasks, which RQ's producers may enqueue or name as callbacks.
        pickle: queues on which jobs of RQ's pickle serializer are run. Whoever can write to Redis can then run any
            code in the workers of these queues.
        settings: any field of `Settings`, by name.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        include: Iterable[str] = (),
        allow: Iterable[str] = (),
        pickle: Iterable[str] = (),
        **settings: Any,
    ) -> None:
        try:
            self.settings = Settings.load(redis_url=url, **settings)
        except TypeError as error:
            raise ConfigError(f"Postroom(…): {error}") from error
        self.keys = Keys.from_env()
        self.observers = Observers()
        self.tasks: dict[str, Task[Any, Any]] = {}
        self.hooks: dict[str, Hook] = {}
        """The tasks that are told of dead letters, by name."""
        self.allowed: dict[str, Callable[..., Any]] = {}
        self.pickle_queues = frozenset(_several(pickle=pickle))
        self._include = _several(include=include)
        self._allow = _several(allow=allow)
        self._lock = threading.Lock()
        self._broker: Broker | None = None
        self._listener: Listener | None = None

    @overload
    def task(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> TaskFunction[P, Coroutine[Any, Any, R], R]: ...
    @overload
    def task(self, function: Callable[P, R], /) -> TaskFunction[P, R, R]: ...
    @overload
    def task(
        self,
        /,
        *,
        name: str | None = None,
        queue: str = "default",
        timeout: float | timedelta | None = None,
        result_ttl: int | timedelta | None = None,
        retry: Retry | None = DEFAULT,
        isolate: bool = False,
    ) -> Declare: ...
    def task(self, function: Callable[..., Any] | None = None, /, **declared: Any) -> Any:
        """Declare a function as a task: `@app.task` or `@app.task(queue="mail", timeout=30, retry=Retry())`.

        Args:
            name: what it is called in messages; `module.qualname` where not given.
            queue: where its jobs go by default.
            timeout: seconds that a job may run, rounded up to whole ones; `Settings.timeout` where not given.
            result_ttl: seconds that its results are kept: 0 for not at all, -1 for ever.
            retry: what happens when it raises. Where not given: five attempts for errors that may pass by themselves
                (retry.is_transient), one for the others and for a job that overran its timeout. None: nothing is tried
                again.
            isolate: run each of its jobs in a process of its own, which can be killed without harm to other jobs.

        Raises:
            ConfigError: a value is wrong, or the name is another function's.
        """
        if function is None:
            return lambda function: self._declare(function, **declared)
        return self._declare(function, **declared)

    @overload
    def on_dead(self, function: Told, /) -> Told: ...
    @overload
    def on_dead(
        self,
        /,
        *,
        queue: str = "",
        task: str | Callable[..., Any] = "",
        runs_in: str = ALERTS,
        name: str | None = None,
        timeout: float | timedelta | None = None,
        retry: Retry | None = DEFAULT,
    ) -> Callable[[Told], Told]: ...
    def on_dead(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        queue: str = "",
        task: str | Callable[..., Any] = "",
        runs_in: str = ALERTS,
        **declared: Any,
    ) -> Any:
        """Declare a function that is called with a `Burial` for every job that becomes a dead letter.

        Each call is a job of its own, made by the duties: it may be retried, and may run again, as any job. The death
        of a hook's job calls no hook.

        Args:
            queue: only for jobs of this queue.
            task: only for jobs of this task, or of the task of this name.
            runs_in: the queue that its jobs go to.
            name, timeout, retry: as of `task`.

        Raises:
            ConfigError: a value is wrong, or the name is another function's.
        """
        if function is None:
            return lambda function: self.on_dead(function, queue=queue, task=task, runs_in=runs_in, **declared)  # type: ignore[call-overload]
        if queue:
            check_queue_name(queue)
        of = task if isinstance(task, str) else getattr(getattr(task, "task", None), "name", None)
        if of is None:
            raise ConfigError(f"task={task!r}: give a task or its name")
        if not hasattr(function, "__code__"):
            raise ConfigError(f"@app.on_dead takes a function, not {function!r}")
        name = self._declare(takes_burial(function), queue=runs_in, **declared).task.name
        hook = Hook(queue, of)
        if self.hooks.setdefault(name, hook) != hook:
            raise ConfigError(f"two hooks are called {name!r}: give one of them another name=")
        return function

    def using(self, name: str, /, **options: Unpack[OptionFields]) -> Prepared[..., Any]:
        """A task by name, for a producer that does not import the consumer's code."""
        known = self.tasks.get(name)
        base = known.prepared.options if known else Options()
        return Prepared(self, name, base.but(**options))

    def enqueue(
        self, name: str, /, *args: Any, kwargs: Mapping[str, Any] | None = None, **options: Unpack[OptionFields]
    ) -> Job[Any]:
        """Hand over a call by the task's name: `app.enqueue("shop.tasks.send_receipt", 42, queue="mail")`.

        Args:
            kwargs: the call's keyword arguments; other keywords are options.

        Raises:
            as `Prepared.enqueue`.
        """
        return self.using(name, **options).enqueue(*args, **(kwargs or {}))

    async def aenqueue(
        self, name: str, /, *args: Any, kwargs: Mapping[str, Any] | None = None, **options: Unpack[OptionFields]
    ) -> Job[Any]:
        """`enqueue`, for an event loop."""
        return await self.using(name, **options).aenqueue(*args, **(kwargs or {}))

    def job(self, job_id: str) -> Job[Any]:
        """The handle of a job that was enqueued elsewhere.

        Raises:
            ConfigError: it cannot be an id.
        """
        if not JOB_ID.fullmatch(job_id):
            raise ConfigError(f"{job_id!r} cannot be a job's id: letters, digits, _ and - are allowed")
        return Job(job_id, self.broker, self.listener)

    def queue(self, name: str) -> Queue:
        """The handle of a queue: its length, pause, resume.

        Raises:
            ConfigError: it cannot be a queue's name.
        """
        check_queue_name(name)
        return Queue(name, self.broker)

    def allow(self, function: Callable[..., Any] | str, /) -> None:
        """Let RQ's producers enqueue this function, or name it as a callback.

        Raises:
            ConfigError: a name that names no function.
        """
        found = import_function(function) if isinstance(function, str) else function
        name = function if isinstance(function, str) else task_name(found)
        self.allowed[name] = found

    def load(self) -> None:
        """Import what `include` and `allow` name. Workers do this before they begin.

        Raises:
            ConfigError: a module or function is not there.
        """
        for module in self._include:
            import_module(module)
        for name in self._allow:
            self.allow(name)
        for follow_up in after_load:
            follow_up(self)

    def function(self, name: str) -> Callable[..., Any]:
        """The function that may run under this name.

        Raises:
            UnknownTask: none may.
        """
        task = self.tasks.get(name)
        found = task.function if task else self.allowed.get(name)
        if found is None:
            raise UnknownTask(name)
        return found

    @property
    def broker(self) -> Broker:
        """The connection to the server, made when first needed.

        Raises:
            ConfigError: no URL is set, or it is none.
        """
        if self._broker is None:
            with self._lock:
                self._broker = self._broker or Broker(self._url(), self.keys, self.settings.deadline)
        return self._broker

    @property
    def listener(self) -> Listener:
        """What this process's waiters share."""
        if self._listener is None:
            broker = self.broker
            with self._lock:
                self._listener = self._listener or Listener(broker)
        return self._listener

    def _url(self) -> str:
        url = self.settings.redis_url
        if not url:
            raise ConfigError(
                "no server is set: export POSTROOM_REDIS_URL=redis://host:6379/0 (or REDIS_URL), set redis_url in "
                '[tool.postroom] of pyproject.toml, or write Postroom("redis://…"). For one of this project\'s own '
                'on this machine: POSTROOM_REDIS_URL=embedded, or Postroom("embedded")'
            )
        if url not in SCHEMES and not url.startswith(_PLAIN_SCHEMES):
            raise ConfigError(
                f"the server's URL begins with {url.partition(':')[0]!r}: "
                f"write one of {', '.join(_PLAIN_SCHEMES)}, or {', '.join(SCHEMES)}"
            )
        return url

    def _declare(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        retry: Retry | None = DEFAULT,
        isolate: bool = False,
        **options: Any,
    ) -> Any:
        if not callable(function) or not hasattr(function, "__code__"):
            raise ConfigError(f"@app.task takes a function, not {function!r}")
        if retry is not None and not isinstance(retry, Retry):
            raise ConfigError(f"retry={retry!r}: give a postroom.Retry")
        name = task_name(function) if name is None else name
        if not isinstance(name, str) or not name:
            raise ConfigError(f"name={name!r}: a task's name is a text")
        check_queue_name(options.get("queue", "default"))
        prepared: Prepared[Any, Any] = Prepared(self, name, Options().but(**options))
        task: Task[Any, Any] = Task(name, function, prepared, NEVER if retry is None else retry, isolate)
        rival = self.tasks.get(name)
        if rival is not None and _place(rival.function) != _place(function):
            raise ConfigError(f"two tasks are called {name!r}: {_place(rival.function)} and {_place(function)}")
        task.attach()
        self.tasks[name] = task
        return function


def _several(**given: Iterable[str]) -> tuple[str, ...]:
    ((field, names),) = given.items()
    if isinstance(names, str):
        raise ConfigError(f"{field}={names!r}: give a list of names")
    return tuple(names)


def _place(function: Callable[..., Any]) -> str:
    code = inspect.unwrap(function).__code__
    return f"{code.co_filename}:{code.co_qualname}"
