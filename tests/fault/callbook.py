"""Every call of the public API that may speak to the server, as `replies` makes it: by name, with what comes before.

`Session` is what a call is given. What the class has and the book has not turns the case red.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tenacity import stop_after_attempt, wait_none

from postroom import Burial, Job, Postroom, Retry
from postroom.jobs import calls
from postroom.jobs.broker import Broker
from postroom.jobs.context import Run, current
from postroom.jobs.events import Events
from postroom.jobs.keys import Keys
from postroom.jobs.queue import Queue
from postroom.jobs.task import Prepared
from postroom.monitor.alerts.duties import deliver, judge
from postroom.monitor.alerts.rules import LOG, Rule, Rules
from postroom.monitor.dead import Canary, DeadLetters, Filter, Moved
from postroom.monitor.dead.files import Line, decode
from postroom.scheduler.tell import Tell
from postroom.workers.local import LocalWorker

ALL = Filter()
RULES = Rules(Path("none"), (Rule("many", "dead", 1, (LOG,), within=3_600),), {})
"""A rule that fires where there is a dead letter, and tells the log."""
MANY = 501
"""Jobs that take two batches."""
SOON = 0.07
"""Seconds until the job ends that a call waits for."""

DEADLINE = 5
"""Seconds of each call: a broken connection must not cost them."""

PUBLIC = (Postroom, Prepared, Job, Queue, Broker, DeadLetters, LocalWorker)
SILENT = {
    "Postroom.task", "Postroom.on", "Postroom.on_dead", "Postroom.cron", "Postroom.schedule", "Postroom.using",
    "Postroom.job", "Postroom.queue", "Postroom.allow", "Postroom.load", "Postroom.function", "Postroom.broker",
    "Postroom.add_rules", "Postroom.limit_queue", "Postroom.rules_of_tasks", "Postroom.listener", "Postroom.testing",
    "Prepared.limits", "Prepared.using", "Queue.name", "Job.id", "Job.duplicate",
    "Prepared.counter", "Prepared.name", "Prepared.options", "Prepared.signature", "Prepared.codec", "Broker.safe_url",
    "Broker.client", "Broker.close", "Broker.aclose", "LocalWorker.stop",
}  # fmt: skip
"""What is public and sends nothing."""
INNER = {
    "Broker.run", "Broker.run_many", "Broker.try_many", "Broker.round_trip", "Broker.arun", "Broker.arun_many",
    "Broker.atry_many",
}  # fmt: skip
"""What all other calls are made of."""


class Session:
    """One app behind the proxy, and one beside it, in the same namespace."""

    def __init__(self, wire: str, server: str, prefix: str) -> None:
        self.app, self.beside = _program(wire, prefix, self), _program(server, prefix, self)
        self.runs: list[tuple[str, int]] = []
        self._timers: list[threading.Timer] = []

    def one(self, **options: Any) -> Job[Any]:
        """A job that is there before the call, as the app behind the proxy sees it."""
        return self.app.job(self.beside.using("fine", **{"job_id": "j", **options}).enqueue(1).id)

    def keyed(self, *, behind: bool = False) -> Job[Any]:
        """Two jobs of a key, as the app behind the proxy sees them: the first, or the one behind it."""
        first, second = (self.one(job_id=job_id, key="k") for job_id in "jk")
        return second if behind else first

    def ended(self) -> Job[Any]:
        """A finished one."""
        found = self.one()
        self.work()
        return found

    def ending(self) -> Job[Any]:
        """One that ends while the call waits."""
        found = self.one()
        self.work_soon()
        return found

    def parent(self) -> Job[Any]:
        """A job that has ended, whose child has not."""
        found = self.ended()
        token = current.set(Run("j", "default", "fine", 1, 1))
        try:
            self.one(job_id="child")
        finally:
            current.reset(token)
        return found

    def work_soon(self) -> None:
        """Run what is queued, beside the proxy, while the call goes on."""
        timer = threading.Timer(SOON, self.work)
        self._timers.append(timer)
        timer.start()

    def paused(self) -> Queue:
        """A paused queue, as the app behind the proxy sees it."""
        self.beside.queue("q").pause()
        return self.app.queue("q")

    def recorded(self) -> Events:
        """Events of three jobs, to be read behind the proxy."""
        list(self.beside.events(since=0, follow=False))  # from now on they are recorded
        for n in range(3):
            self.one(job_id=f"j{n}")
        return self.app.events(since=0, follow=False, task="fine")

    def buried(self) -> DeadLetters:
        """Dead letters a, b, as the app behind the proxy sees them."""
        for job_id in "ab":
            self.beside.using("broken", job_id=job_id).enqueue(1)
        self.work()
        return DeadLetters(self.app)

    def moved(self, move: Callable[[DeadLetters], object]) -> DeadLetters:
        """The same, after an action beside the proxy."""
        self.buried()
        move(DeadLetters(self.beside))
        return DeadLetters(self.app)

    def exported(self) -> tuple[DeadLetters, list[Line]]:
        """The same, a of them purged, and the lines of a file of both."""
        self.buried()
        lines = [decode(line) for line in DeadLetters(self.beside).export(ALL)]
        DeadLetters(self.beside).purge(["a"])
        return DeadLetters(self.app), lines

    def work(self) -> None:
        """Run what is queued, beside the proxy."""
        LocalWorker(self.beside, ["default"], concurrency=1, burst=True).run()

    def burst(self) -> list[tuple[str, int]]:
        """Run jobs that end, are retried and are buried, behind the proxy, in several claims."""
        for n in range(9):
            self.beside.enqueue(("fine", "again", "broken")[n % 3], n)
        LocalWorker(self.app, ["default"], concurrency=1, burst=True).run()
        return sorted(self.runs)

    def burst_keyed(self) -> list[tuple[str, int]]:
        """The same of one key: in order, whatever is lost."""
        for n in range(9):
            self.beside.enqueue(("fine", "again", "broken")[n % 3], n, key="k")
        LocalWorker(self.app, ["default"], concurrency=2, burst=True).run()
        return self.runs

    def told(self) -> int:
        """Tell a hook of the dead letters, behind the proxy; how many of its jobs there are. In two rounds: whose reply
        told that it was its turn is lost leaves the work to the next.
        """
        self.buried()
        for _ in range(2):
            Tell().do(self.app)
            self.beside.broker.run(calls.Call(("DEL", self.app.keys.turn("hook:told")), int))
        return len(self.beside.queue("alerts"))

    def alerted(self) -> list[str]:
        """Judge a rule that fires, and tell the log, behind the proxy; what it was told."""
        with _Heard() as heard:
            for _ in range(2):
                judge(self.app, RULES)
                deliver(self.app, RULES)
        return heard.texts

    def close(self) -> None:
        """Let go of both."""
        for timer in self._timers:
            timer.join()
        for app in (self.app, self.beside):
            app.broker.close()


class _Heard(logging.Handler):
    """What the log of alerts is told."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.texts.append(record.getMessage())

    def __enter__(self) -> "_Heard":
        logging.getLogger("postroom.alerts").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("postroom.alerts").removeHandler(self)


def _program(url: str, prefix: str, session: Session) -> Postroom:
    app = Postroom(url, deadline=DEADLINE)
    app.keys = Keys(prefix)

    def ran(name: str) -> int:
        session.runs.append((name, current.get().attempt))
        return current.get().attempt

    @app.task(name="fine")
    def fine(_: object) -> int:
        return ran("fine")

    @app.task(name="typed", codec="avro")
    def typed(_: int) -> None:
        """Never runs: what is tried is that its schema goes before it."""

    @app.task(name="again", retry=Retry(stop=stop_after_attempt(3), wait=wait_none()))
    def again(_: object) -> None:
        if ran("again") == 1:
            raise ConnectionError("as told")

    @app.task(name="broken")
    def broken(_: object) -> None:
        ran("broken")
        raise ValueError("as told")

    @app.on_dead(name="told")
    def told(_: Burial) -> None:
        """Never runs: what is tried is that there is one job for each death."""

    return app


async def _listed(ids: Any) -> list[str]:
    return [job_id async for job_id in ids]


async def _heard(events: Events) -> list[str]:
    return [event.jobs[0] async for event in events]


async def _all_async(session: Session) -> list[Any]:
    """One of each, in one loop."""
    prepared = session.app.using("fine", job_id="a")
    job = await prepared.aenqueue(1)
    many = await _listed(session.app.using("fine").aenqueue_many([(2,), (3,)]))
    by_name = await session.app.aenqueue("fine", 4, delay=60)
    said = [job, many, by_name, await job.astatus(), await by_name.acancel(), await by_name.astatus()]
    session.work_soon()
    return [*said, await job.aresult(10), await session.app.job(many[1]).aresult(10), await job.adelete()]


Prepare = Callable[[Session], Any]
Call = Callable[[Any], Any]


def book() -> Iterator[tuple[str, Prepare, Call]]:
    """Name (`Class.method`, and what is particular), what comes before, and the call, which is given that."""
    yield from _producing()
    for name, prepare in (("", Session.one), (" finished", Session.ended), (" missing", lambda s: s.app.job("none"))):
        yield f"Job.status{name}", prepare, Job.status
        yield f"Job.astatus{name}", prepare, lambda job: asyncio.run(job.astatus())
        yield f"Job.cloudevent{name}", prepare, lambda job: {**job.cloudevent(), "time": ""}
        yield f"Job.acloudevent{name}", prepare, lambda job: {**asyncio.run(job.acloudevent()), "time": ""}
        yield f"Job.progress{name}", prepare, Job.progress
        yield f"Job.aprogress{name}", prepare, lambda job: asyncio.run(job.aprogress())
        yield f"Job.logs{name}", prepare, Job.logs
        yield f"Job.alogs{name}", prepare, lambda job: asyncio.run(job.alogs())
        yield f"Job.cancel{name}", prepare, Job.cancel
        yield f"Job.acancel{name}", prepare, lambda job: asyncio.run(job.acancel())
        yield f"Job.delete{name}", prepare, Job.delete
        yield f"Job.adelete{name}", prepare, lambda job: asyncio.run(job.adelete())
    for name, prepare in (("", Session.ended), (" waiting", Session.ending), (" missing", lambda s: s.app.job("none"))):
        yield f"Job.result{name}", prepare, lambda job: job.result(20)
        yield f"Job.aresult{name}", prepare, lambda job: asyncio.run(job.aresult(20))
    yield "Queue.pause", lambda s: s.app.queue("q"), Queue.pause
    yield "Queue.resume", Session.paused, Queue.resume
    yield "Queue.paused", Session.paused, lambda queue: queue.paused
    yield "Queue.__len__", lambda s: (s.one(), s.app.queue("default"))[1], len
    yield "Postroom.events", Session.recorded, lambda events: [event.jobs[0] for event in events]
    yield "Postroom.events async", Session.recorded, lambda events: asyncio.run(_heard(events))
    yield from _keyed()
    yield "Job.cancel with children", Session.parent, Job.cancel
    yield from _desk()
    yield "Tell.do", lambda s: s, Session.told
    yield "judge, deliver", lambda s: (s.buried(), s)[1], Session.alerted
    yield "Broker.ping", lambda s: s.app.broker, Broker.ping
    yield "all async", lambda s: s, lambda s: asyncio.run(_all_async(s))
    yield "LocalWorker.run", lambda s: s, Session.burst


def _producing() -> Iterator[tuple[str, Prepare, Call]]:
    """Jobs that are handed over."""
    numbers = [(n,) for n in range(MANY)]
    fine: Prepare = lambda s: s.app.using("fine")  # noqa: E731
    named: Prepare = lambda s: s.app.using("fine", job_id="mine")  # noqa: E731
    later: Prepare = lambda s: s.app.using("fine", delay=60)  # noqa: E731
    avro: Prepare = lambda s: s.app.using("typed")  # noqa: E731
    for what, prepare in (("", fine), (" job_id", named), (" delay", later), (" avro", avro)):
        yield f"Prepared.enqueue{what}", prepare, lambda p: p.enqueue(1)
        yield f"Prepared.aenqueue{what}", prepare, lambda p: asyncio.run(p.aenqueue(1))
    yield "Prepared.enqueue twice", lambda s: (s.one(job_id="mine"), named(s))[1], lambda p: p.enqueue(1)
    yield "Postroom.enqueue", lambda s: s.app, lambda app: app.enqueue("fine", 1, queue="q")
    yield "Postroom.aenqueue", lambda s: s.app, lambda app: asyncio.run(app.aenqueue("fine", 1, queue="q"))
    yield "Prepared.enqueue_many list", fine, lambda p: p.enqueue_many(numbers)
    yield "Prepared.enqueue_many avro", avro, lambda p: p.enqueue_many(numbers)
    yield "Prepared.enqueue_many iterator", fine, lambda p: list(p.enqueue_many(iter(numbers)))
    yield "Prepared.aenqueue_many", fine, lambda p: asyncio.run(_listed(p.aenqueue_many(numbers)))
    yield "Prepared.enqueue deadline", lambda s: s.app.using("fine", deadline=60), lambda p: p.enqueue(1)


def _keyed() -> Iterator[tuple[str, Prepare, Call]]:
    """What has a key, or waits for it."""
    first: Prepare = lambda s: s.app.using("fine", key="k")  # noqa: E731
    behind: Prepare = lambda s: (s.keyed(), first(s))[1]  # noqa: E731
    yield "Prepared.enqueue key", first, lambda p: p.enqueue(1)
    yield "Prepared.aenqueue key, behind others", behind, lambda p: asyncio.run(p.aenqueue(1))
    yield "Prepared.enqueue_many key, behind others", behind, lambda p: p.enqueue_many([(n,) for n in range(5)])
    yield "Postroom.enqueue key", lambda s: s.app, lambda app: app.enqueue("fine", 1, queue="q", key="k", delay=60)
    for what, prepare in ((" with a key", Session.keyed), (" waits for its key", lambda s: s.keyed(behind=True))):
        yield f"Job.cancel{what}", prepare, Job.cancel
        yield f"Job.delete{what}", prepare, Job.delete
    once: Prepare = lambda s: s.app.using("fine", unique="running")  # noqa: E731
    held: Prepare = lambda s: (s.one(unique="running"), once(s))[1]  # noqa: E731
    yield "Prepared.enqueue unique", once, lambda p: p.enqueue(1)
    yield "Prepared.enqueue unique, a duplicate", held, lambda p: p.enqueue(1).duplicate
    yield "Prepared.aenqueue unique, a duplicate", held, lambda p: asyncio.run(p.aenqueue(1)).duplicate
    yield "Prepared.enqueue_many unique, some duplicates", held, lambda p: p.enqueue_many([(1,), (2,), (2,)])
    yield "LocalWorker.run keyed", lambda s: s, Session.burst_keyed


def _desk() -> Iterator[tuple[str, Prepare, Call]]:
    """What is done about dead letters."""
    yield "DeadLetters.newest", Session.buried, lambda dead: [one.id for one in dead.newest(ALL, 9)]
    yield "DeadLetters.groups", Session.buried, lambda dead: [one.count for one in dead.groups(ALL)]
    yield "DeadLetters.show", Session.buried, lambda dead: dead.show("a").summary.id
    yield "DeadLetters.find", Session.buried, lambda dead: [queue for queue, _, _ in dead.find(["a", "b"])]
    yield "DeadLetters.export", Session.buried, lambda dead: len(list(dead.export(ALL)))
    yield "DeadLetters.redrive", Session.buried, lambda dead: _told(dead.redrive(ALL))
    yield "DeadLetters.redrive ids", Session.buried, lambda dead: _told(dead.redrive(["b"]))
    yield "DeadLetters.redrive canary", Session.buried, lambda dead: _told(dead.redrive(ALL, canary=Canary(wait=0.2)))
    yield "DeadLetters.purge", Session.buried, lambda dead: _told(dead.purge(ALL))
    yield "DeadLetters.purge ids", Session.buried, lambda dead: _told(dead.purge(["b"]))
    yield "DeadLetters.load", Session.exported, lambda pair: _told(pair[0].load(pair[1], replace=True))
    redriven: Prepare = lambda s: s.moved(lambda dead: dead.redrive(ALL))  # noqa: E731
    purged: Prepare = lambda s: s.moved(lambda dead: dead.purge(ALL))  # noqa: E731
    yield "DeadLetters.last_action", purged, lambda dead: sorted(dead.last_action()[1].items())
    yield "DeadLetters.undo redrive", redriven, lambda dead: _told(dead.undo())
    yield "DeadLetters.undo purge", purged, lambda dead: _told(dead.undo())


def _told(moved: Moved | None) -> object:
    """What was moved, without the action's own id."""
    return moved and (moved.count, sorted(moved.left.items()))


def _named(kind: type) -> set[str]:
    """What a class has, and what those of ours have that it extends."""
    return {name for one in kind.__mro__ if one.__module__.startswith("postroom.") for name in vars(one)}


def missing(names: set[str]) -> list[str]:
    """Public methods that have no entry: nobody would see what a lost reply does to them."""
    members = [(kind.__name__, name) for kind in PUBLIC for name in _named(kind)]
    found = {f"{kind}.{name}" for kind, name in members if not name.startswith("_") or name == "__len__"}
    return sorted(found - {name.partition(" ")[0] for name in names} - SILENT - INNER)
