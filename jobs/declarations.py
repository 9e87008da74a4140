"""What an app declares: its tasks, its schedules, its hooks, and the functions that RQ's producers may name."""

import inspect
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar, overload

from postroom.jobs.burial import ALERTS, Burial, Hook, taking
from postroom.jobs.errors import ConfigError, UnknownTask
from postroom.jobs.limits import Limit, Limits, limits_of
from postroom.jobs.messages import batch_of_one
from postroom.jobs.naming import import_function, import_module, task_name
from postroom.jobs.options import Key, Options, check_queue_name, span_of
from postroom.jobs.record import Event, check_event
from postroom.jobs.retry import DEFAULT, NEVER, Retry
from postroom.jobs.schedules import Schedule, make
from postroom.jobs.signature import Signature
from postroom.jobs.task import Counter, Declare, Prepared, Task, TaskFunction

P = ParamSpec("P")
R = TypeVar("R")
Told = TypeVar("Told", bound=Callable[[Burial], Any])
Heard = TypeVar("Heard", bound=Callable[[Event], Any])

EVENTS = "events"
"""The queue that hooks of events run in, where they do not say another."""

after_load: list[Callable[[Any], None]] = []
"""Called with each app that a worker has loaded. The front door registers what activates its integrations."""


after_make: list[Callable[[Any], None]] = []
"""Called with each app once it is made, also in producers. Likewise."""


class Declarations(Counter):
    """Half of an app: what its code declares. The other half, the counter, is in app.py."""

    def __init__(self, include: Iterable[str], allow: Iterable[str], pickle: Iterable[str]) -> None:
        self.tasks: dict[str, Task[Any, Any]] = {}
        self.schedules: dict[str, Schedule] = {}
        self.rules: dict[str, str] = {}
        """Of its limits, by name, as the server keeps them."""
        self.hooks: dict[str, Hook] = {}
        """The tasks that are told of dead letters and of events, by name."""
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
        typed: bool = True,
        key: Key = None,
        unique: str | float | timedelta | None = None,
        unique_by: Key = None,
        codec: str | None = None,
        deadline: float | timedelta | None = None,
        limit: Limit | Sequence[Limit] = (),
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
            typed: check its arguments against the annotations of its parameters, and read them as these types. False:
                the handler gets what the codec carries, whatever is annotated.
            key: one at a time of the jobs that have the same, in order of enqueue; a function of the job's arguments
                (None from it: no key), or a text for all jobs of the task.
            unique: no second job is made until this one has started ("queued"), has ended ("running"), has succeeded
                ("success"), or for so many seconds.
            unique_by: of which jobs: a function of the arguments (None from it: not unique), or a text; of those with
                the same arguments where not given.
            codec: what its calls are written in: `json`, `msgpack`, `avro`, `protobuf`. Where not given, as its
                messages or the app say.
            deadline: seconds from its enqueue in which a job must have ended: later it does not begin.
            limit: how many of its jobs run at once, or begin in a time; several hold all of them.

        Raises:
            ConfigError: a value is wrong, the name is another function's, or a parameter's type cannot be read from a
                message.
        """
        if function is None:
            return lambda function: self._declare(function, **declared)
        return self._declare(function, **declared)

    def cron(
        self,
        cron: str | None = None,
        /,
        *,
        every: float | timedelta | None = None,
        tz: str | None = None,
        jitter: float | timedelta = 0,
        catch_up: str = "last",
        overlap: str = "allow",
        **task: Any,
    ) -> Declare:
        """Declare a function as a task on a schedule: `@app.cron("0 3 * * *", tz="Europe/Paris", queue="reports")`.

        It is called without arguments, and is a task as any other besides. Its schedule has the task's name.

        Args:
            cron, every, tz, jitter, catch_up, overlap: as of `schedule`.
            task: the keywords of `task`.

        Raises:
            ConfigError: a value is wrong.
        """

        def declare(function: Callable[..., Any]) -> Any:
            declared = self._declare(function, **task)
            when = {"every": every, "tz": tz, "jitter": jitter, "catch_up": catch_up, "overlap": overlap}
            self.schedule(declared, cron, **when)  # type: ignore[arg-type]
            return declared

        return declare

    def schedule(
        self,
        task: str | Callable[..., Any],
        cron: str | None = None,
        /,
        *,
        every: float | timedelta | None = None,
        tz: str | None = None,
        jitter: float | timedelta = 0,
        catch_up: str = "last",
        overlap: str = "allow",
        name: str | None = None,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """Declare when a task is to be called: `app.schedule(send_report, "0 8 * * 1", args=("weekly",))`.

        Args:
            task: a task, or the name of one, which may be another program's.
            cron: five fields (minute, hour, day of month, month, day of week), or `@daily` and its like.
            every: seconds between two ticks, in the place of `cron`; 1 at least, counted from the epoch.
            tz: the time zone of `cron`; UTC where not given.
            jitter: seconds by which a tick is put off at most, each by a part of its own.
            catch_up: of the ticks that were missed while no process did the duties, the `last`, `all`, or `none` is
                made.
            overlap: where the job of the tick before has not ended: `allow` both, `skip` this tick, or `queue` it
                until that has ended; one at most waits.
            name: of the schedule; the task's where not given.
            args, kwargs: of the call.
            options: `queue`, `timeout`, `result_ttl`, `key`, `deadline` of its jobs, where not the task's; a deadline
                counts from the tick's own time, or from when it is made, where that is later.

        Raises:
            ConfigError: a value is wrong, or the name is another schedule's.
            EncodeError, Rejected: as of enqueue.
        """
        of = task if isinstance(task, str) else getattr(getattr(task, "task", None), "name", None)
        if not of:
            raise ConfigError(f"schedule of {task!r}: give a task or its name")
        if wrong := sorted(set(options) - {"queue", "timeout", "result_ttl", "key", "deadline"}):
            raise ConfigError(f"schedule of {of!r}: {wrong[0]}={options[wrong[0]]!r} is no option of a schedule")
        known = self.tasks.get(of)
        kept = (known.prepared.options if known else Options()).but(**options)
        if kept.unique is not None:
            raise ConfigError(
                f"schedule of {of!r}: unique={kept.unique!r} does not hold for ticks: give overlap='skip'"
            )
        if known:
            _check_call(known, args, kwargs or {})
        limit, signature = self.settings.payload_limit, known.signature if known else None
        batch_of_one(of, args, kwargs or {}, kept, limit, signature=signature)  # raises now what each tick would
        times = {"cron": cron, "every": every, "tz": tz, "jitter": jitter, "catch_up": catch_up, "overlap": overlap}
        call = {"task": of, "options": kept, "args": args, "kwargs": kwargs or {}}
        made = make(name=of if name is None else name, now=time.time(), **times, **call)  # type: ignore[arg-type]
        if self.schedules.setdefault(made.name, made).definition != made.definition:
            raise ConfigError(
                f"two schedules are called {made.name!r}: give one of them another name: app.schedule(…, name=…)"
            )

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
        return self._hook("@app.on_dead", Burial, function, Hook(queue, _name_of(task)), queue=runs_in, **declared)

    def on(
        self,
        event: str,
        /,
        *,
        queue: str = "",
        task: str | Callable[..., Any] = "",
        runs_in: str = EVENTS,
        **declared: Any,
    ) -> Callable[[Heard], Heard]:
        """Declare a function that is called with an `Event` for every job to which this happens.

        Each call is a job of its own, made by the duties, as of `on_dead`; what happens to hooks' jobs calls no hook.

        Args:
            event: one of record.JOBS or record.OTHERS: `finished`, `retried`, `worker-down`, …
            queue, task, runs_in, name, timeout, retry: as of `on_dead`.

        Raises:
            ConfigError: a value is wrong, or the name is another function's.
        """
        check_event(event)
        hook = Hook(queue, _name_of(task), event)
        return lambda function: self._hook("@app.on", Event, function, hook, queue=runs_in, **declared)

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
            ConfigError: a module or function is not there, or what a task's annotation names.
        """
        for module in self._include:
            import_module(module)
        for name in self._allow:
            self.allow(name)
        for task in self.tasks.values():
            if task.signature is not None:
                task.prepared.codec  # noqa: B018  now that all modules are loaded, all types must be there
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

    def _hook(self, by: str, kind: type, function: Callable[..., Any], hook: Hook, **declared: Any) -> Any:
        if hook.queue:
            check_queue_name(hook.queue)
        if not hasattr(function, "__code__"):
            raise ConfigError(f"{by} takes a function, not {function!r}")
        name = self._declare(taking(kind, function, by), typed=False, **declared).task.name
        if self.hooks.setdefault(name, hook) != hook:
            raise ConfigError(f"two hooks are called {name!r}: give one of them another name=")
        return function

    def limit_queue(self, queue: str, limit: Limit) -> None:
        """Limit the jobs of a queue, whoever enqueued them; besides those of their tasks.

        Raises:
            ConfigError: the name is no queue's, the limit has a name or `by`, or the queue has another limit.
        """
        check_queue_name(queue)
        if not isinstance(limit, Limit) or limit.name or limit.by is not None:
            raise ConfigError(f"limit of queue {queue!r}: give a Limit of rate or concurrency, without name= and by=")
        self.add_rules((replace(limit, name=f"queue:{queue}"),))

    def add_rules(self, limits: Limits) -> None:
        """What workers are to tell the server of these limits.

        Raises:
            ConfigError: one has the name of another, and allows something else.
        """
        for one in limits:
            if self.rules.setdefault(one.name, one.rule) != one.rule:
                raise ConfigError(
                    f"two limits are called {one.name!r}, and allow different things: give one another name="
                )

    def rules_of_tasks(self) -> dict[str, str]:
        """The rules of all limits here; '' for a task that has none of its own: it may have had one."""
        return {**{f"task:{name}": "" for name in self.tasks}, **self.rules}

    def _declare(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        retry: Retry | None = DEFAULT,
        isolate: bool = False,
        typed: bool = True,
        limit: Limit | Sequence[Limit] = (),
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
        signature = Signature.of(name, function) if typed else None
        kept = Options().but(**options)
        span_of(kept.deadline)
        prepared: Prepared[Any, Any] = Prepared(self, name, kept, signature, limits_of(name, limit))
        self.add_rules(prepared.limits)
        task: Task[Any, Any] = Task(name, function, prepared, NEVER if retry is None else retry, isolate)
        rival = self.tasks.get(name)
        if rival is not None and _place(rival.function) != _place(function):
            raise ConfigError(f"two tasks are called {name!r}: {_place(rival.function)} and {_place(function)}")
        task.attach()
        self.tasks[name] = task
        return function


def _check_call(task: Task[Any, Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    try:
        inspect.signature(task.function).bind(*args, **kwargs)
    except TypeError as error:
        told = f"{task.name}{inspect.signature(task.function)}"
        raise ConfigError(f"schedule of {told}: {error}: give args= or kwargs= to app.schedule(…)") from None


def _name_of(task: Any) -> str:
    of = task if isinstance(task, str) else getattr(getattr(task, "task", None), "name", None)
    if of is None:
        raise ConfigError(f"task={task!r}: give a task or its name")
    return str(of)


def _several(**given: Iterable[str]) -> tuple[str, ...]:
    ((field, names),) = given.items()
    if isinstance(names, str):
        raise ConfigError(f"{field}={names!r}: give a list of names")
    return tuple(names)


def _place(function: Callable[..., Any]) -> str:
    code = inspect.unwrap(function).__code__
    return f"{code.co_filename}:{code.co_qualname}"
