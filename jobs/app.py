"""The app: what a program declares its tasks on, and the counter where it hands jobs over."""

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Unpack

from postroom.jobs.broker import SCHEMES, Broker
from postroom.jobs.correlation import Correlation
from postroom.jobs.declarations import Declarations, after_make
from postroom.jobs.errors import ConfigError
from postroom.jobs.events import Events, Wanted, place
from postroom.jobs.job import Job
from postroom.jobs.keys import JOB_ID, Keys
from postroom.jobs.kit import Kit, open_kit
from postroom.jobs.observers import Observers
from postroom.jobs.options import OptionFields, Options, check_queue_name
from postroom.jobs.queue import Queue
from postroom.jobs.results import Listener
from postroom.jobs.settings import Settings
from postroom.jobs.task import Prepared

_PLAIN_SCHEMES = ("redis://", "rediss://", "unix://")


class Postroom(Declarations):
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
        if self.settings.correlation:
            self.observers.add(Correlation())
        super().__init__(include, allow, pickle)
        self._lock = threading.Lock()
        self._broker: Broker | None = None
        self._listener: Listener | None = None
        for follow_up in after_make:
            follow_up(self)

    def using(self, name: str, /, **options: Unpack[OptionFields]) -> Prepared[..., Any]:
        """A task by name, for a producer that does not import the consumer's code."""
        known = self.tasks.get(name)
        if known:
            return known.prepared.using(**options)
        return Prepared(self, name, Options().but(**options))

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

    def events(
        self,
        *,
        queue: str = "",
        task: str = "",
        events: Collection[str] = (),
        since: str | float | datetime | None = None,
        follow: bool = True,
    ) -> Events:
        """What happens to jobs, queues and workers, as it happens: `for event in app.events():`, or `async for`.

        A subscription outlives restarts of the server and goes on where it was. An event `gap`: some are missing.

        Args:
            queue: only of this queue.
            task: only of jobs of the task of this name. Of a job that is not on the server any more nobody knows that.
            events: only these (record.JOBS, record.OTHERS).
            since: begin after the event of this id, or at this time (seconds since the epoch; 0: all that is on the
                record); now, where not given.
            follow: go on for ever; else to the end of what is on the record.

        Raises:
            ConfigError: a value is wrong.
            Unavailable: when it is iterated over: the server was not reached for a first look.
        """
        return Events(self.broker, Wanted(queue, task, events), place(since), follow=follow)

    @contextmanager
    def testing(self, mode: str = "fake", *, url: str | None = None, raises: bool = True) -> Iterator[Kit]:
        """For tests: what becomes of this app's jobs, in the whole process, while the context lasts.

        Args:
            mode: `fake`: they are kept, encoded as they would be sent, and not run; no server is needed. `inline`: each
                is run at once, as a worker would. `server`: they go to a real server, and `Kit.drain` runs them here.
            url: the server of `server`; one of its own, which ends with the context, where not given.
            raises: what a handler raises is raised again, from `enqueue` (`inline`) or `drain`. False: one looks at the
                job, as in production.

        Raises:
            ConfigError: there is no such mode; a URL without `server`; no server program is installed.
        """
        with open_kit(self, mode, url, raises=raises) as kit:
            before = self._broker, self._listener
            self._broker, self._listener = kit.broker, None
            try:
                yield kit
            finally:
                self._broker, self._listener = before

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
