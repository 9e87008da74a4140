"""What an app declares: its tasks, its hooks, and the functions that RQ's producers may name."""

import inspect
from collections.abc import Callable, Coroutine, Iterable
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar, overload

from postroom.jobs.burial import ALERTS, Burial, Hook, takes_burial
from postroom.jobs.errors import ConfigError, UnknownTask
from postroom.jobs.naming import import_function, import_module, task_name
from postroom.jobs.options import Options, check_queue_name
from postroom.jobs.retry import DEFAULT, NEVER, Retry
from postroom.jobs.task import Counter, Declare, Prepared, Task, TaskFunction

P = ParamSpec("P")
R = TypeVar("R")
Told = TypeVar("Told", bound=Callable[[Burial], Any])

after_load: list[Callable[[Any], None]] = []
"""Called with each app that a worker has loaded. The front door registers what activates its integrations."""


class Declarations(Counter):
    """Half of an app: what its code declares. The other half, the counter, is in app.py."""

    def __init__(self, include: Iterable[str], allow: Iterable[str], pickle: Iterable[str]) -> None:
        self.tasks: dict[str, Task[Any, Any]] = {}
        self.hooks: dict[str, Hook] = {}
        """The tasks that are told of dead letters, by name."""
        self.allowed: dict[str, Callable[..., Any]] = {}
        self.pickle_queues = frozenset(_several(pickle=pickle))
        self._include = _several(include=include)
        self._allow = _several(allow=allow)

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
