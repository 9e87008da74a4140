"""Read a claimed job, and say what became of it. The calling in between is the executors'."""

import contextvars
import inspect
import logging
import math
import re
import socket
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import msgspec
from msgspec import structs

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.codecs import encode_result
from postroom.jobs.context import Run, current
from postroom.jobs.errors import (
    BrokerError,
    DecodeError,
    EncodeError,
    JobInterrupted,
    JobTimeout,
    MessageError,
    TooNew,
    UnknownTask,
)
from postroom.jobs.failure import (
    ERROR_LIMIT,
    TEXT_LIMIT,
    Cause,
    Death,
    Failure,
    digest,
    fingerprint,
    one_line,
    sendable,
)
from postroom.jobs.interop import unreadable_fields
from postroom.jobs.limits import written
from postroom.jobs.observers import Execution, Report, read_headers
from postroom.jobs.options import seconds, whole_seconds
from postroom.jobs.retry import DEFAULT, Discard, Snooze
from postroom.jobs.secrets import Veil, names_of
from postroom.jobs.signature import plain
from postroom.jobs.times import MOST, epoch, is_rq_time, rq_time
from postroom.workers.board import ID_BYTES
from postroom.workers.claimed import Claimed
from postroom.workers.outcome import Outcome, buried, declined, finished, limited, released, retried
from postroom.workers.progress import Reporter
from postroom.workers.reading import Reading
from postroom.workers.ready import COROUTINE, ISOLATED, THREAD, Ready

log = logging.getLogger("postroom.worker")

HOST = socket.gethostname()
MOST_DEATHS = 3
"""Worker processes that a job may take with it before it is a dead letter."""


class Runner:
    """Knows the app's tasks and settings. Used by any thread."""

    def __init__(self, app: Postroom, worker: str, *, can_isolate: bool = False) -> None:
        self.worker = worker
        """The name of the worker process that the jobs run in."""
        self._app = app
        self._can_isolate = can_isolate
        self._settings = app.settings
        self.secret_names = names_of(app.settings.secret_names)
        """Patterns of names of secret arguments."""
        self._executors: dict[Callable[..., Any], str] = {}
        self._reading = Reading(app)
        self._reporter = Reporter(app, worker, self.veil)

    def read(self, job: Claimed) -> Ready | Outcome:
        """The job, ready to run, or its burial where it cannot be read. Never raises."""
        try:
            return self._read(job)
        except UnknownTask as error:
            left = self._settings.unknown_task_ttl - job.age
            if left > 0:
                log.info("job %s (%s) is declined: %s", job.id, error.name, error)
                return declined(job, error.name[:ERROR_LIMIT], "", f"task {error.name[:ERROR_LIMIT]}", left)
            failure = self.told(job, str(error), mark=digest("unknown task", error.name))
            return self.bury(job, Cause.UNKNOWN_TASK, failure, error.name)
        except MessageError as error:
            return self.unreadable(job, str(error))
        except BrokerError as error:
            log.info("job %s goes back, its schema was not to be had: %s", job.id, error)
            return released(job)
        except Exception as error:  # ours: one job must not stop the others
            failure = self.failure(job, error, time.time())
            log.warning("job %s could not be read: %s", job.id, failure.traceback)
            return self.bury(job, Cause.UNDECODABLE, failure, error=error)

    def context(self, ready: Ready) -> contextvars.Context:
        """A context of the job's own, with `current_job` in it."""
        job = ready.job
        context = contextvars.Context()
        about = (job.id, job.queue, ready.name, job.attempt, job.token)
        keep = partial(self._reporter.note, job)
        run = Run(*about, self._reporter.tell, ready.origins, job.ends, job.expires, keep)
        context.run(current.set, run)
        return context

    @property
    def observed(self) -> bool:
        """Does anybody want to know of executions?"""
        return bool(self._app.observers)

    def observe(self, ready: Ready) -> AbstractContextManager[object]:
        """Around the handler and what becomes of it, in the job's context, where that is `observed`."""
        return self._app.observers.processing(self._execution(ready.job, ready.name))

    def veil(self, job: Claimed) -> Veil:
        """What hides the secrets of a job's call. Never raises: of a call that cannot be read nothing is known."""
        try:
            name, args, kwargs = self._reading.plain(job)
        except MessageError:
            expected = self._reading.expected(job)  # where no type names what is wrong with it
            if expected is None:
                return Veil(names=self.secret_names)
            name, args, kwargs = expected[0], *plain(expected[1:])
        task = self._app.tasks.get(name)
        function = task.function if task else self._app.allowed.get(name)
        try:
            typed = plain(self._reading.typed(job, name, args, kwargs)[0])
        except Exception:  # a message that its task's types do not fit
            typed = (), {}
        return Veil(function, args, kwargs, self.secret_names, typed)

    def returned(self, ready: Ready, value: Any, started: float) -> Outcome:
        """The handler returned `value`."""
        job = ready.job
        try:
            result = b"" if ready.result_ttl == 0 else encode_result(value, self._settings.payload_limit)
        except EncodeError as error:
            return self.bury(job, Cause.NOT_RETRYABLE, self.failure(job, error, started), ready.name, error=error)
        return finished(job, result, started, time.time(), ready.result_ttl)

    def raised(self, ready: Ready, error: BaseException, started: float, death: Death | None = None) -> Outcome:
        """The handler raised `error`: ask the task's policy what now.

        Args:
            death: of its process, which was killed for this.
        """
        job, name = ready.job, ready.name
        if isinstance(error, JobInterrupted):
            return released(job)  # canceled: the fence answers STALE, and the job leaves our hands
        if isinstance(error, Snooze):
            log.info("job %s (%s) snoozes for %.1f s", job.id, name, error.delay)
            return retried(job, error.delay, {})
        overran = isinstance(error, JobTimeout)
        if overran:
            # As TimeoutError, so that a retry policy can name it.
            text = f"the handler ran longer than its timeout of {ready.timeout:g} s"
            if time.monotonic() >= job.expires:
                text = "the handler ran past its deadline"
            error = TimeoutError(text).with_traceback(error.__traceback__)
        failure = self.failure(job, error, started, death)
        first = job.first_started or started
        try:
            decided = self._decide(name, job.attempt, first, error, overran=overran)
        except Exception as broken:
            then = self.failure(job, broken, started)
            text = f"{failure.error}; and its retry policy raised {then.error}"
            failure = structs.replace(failure, error=text, traceback=then.traceback)
            return self.bury(job, Cause.NOT_RETRYABLE, failure, name, error=broken)
        if isinstance(decided, Cause):
            return self.bury(job, Cause.KILLED if death else decided, failure, name, error=error)
        if time.monotonic() + decided >= job.expires:
            failure = structs.replace(failure, error=f"{failure.error}; its deadline comes before its next attempt")
            return self.bury(job, Cause.KILLED if death else Cause.EXPIRED, failure, name, error=error)
        told = (job.id, name, job.attempt, decided, failure.error)
        log.info("job %s (%s) failed, attempt %d; again in %.1f s: %s", *told)
        self.report(job, name, failure, error)
        fields = {"p:attempt": job.attempt, "p:first": f"{first:.6f}", "exc_info": failure.traceback}
        return retried(job, decided, fields, failure.stored)

    def died(self, ready: Ready, death: Death, started: float) -> Outcome:
        """The job process died with this job in it, and no other: nobody else can have done it."""
        job = ready.job
        deaths = job.deaths + 1
        failure = self.death(job, ready.name, death, started)
        if deaths >= MOST_DEATHS:
            reason = f"poison: {deaths} processes died while they ran it, the last by {death.how}"
            return self.bury(job, Cause.POISON, failure, ready.name, {"p:deaths": deaths, "p:reason": reason})
        log.warning("job %s: its process died by %s, death %d; it will run again", job.id, death.how, deaths)
        self.report(job, ready.name, failure)
        return retried(job, 0.0, {"p:deaths": deaths}, failure.stored)

    def bury(
        self,
        job: Claimed,
        cause: Cause,
        failure: Failure,
        task: str = "",
        fields: Mapping[str, Any] | None = None,
        *,
        ttl: int | None = None,
        entry: str = "",
        happened: bool = True,
        error: BaseException | None = None,
        veil: Veil | None = None,
    ) -> Outcome:
        """It is a dead letter. A date that cannot be read is replaced, lest it stop RQ's readers.

        Args:
            task: its task's name, where that could be read.
            fields: what else its hash shall hold.
            ttl: seconds that it is kept; -1: for ever.
            entry: of RQ's result stream, for RQ's jobs.
            happened: `failure` is of an execution, and is kept among those that failed.
            error: what the handler raised.
            veil: where it is known better than `self.veil(job)`.
        """
        log.warning("job %s is a dead letter: %s", job.id, failure.error)
        veil = veil or self.veil(job)
        self.report(job, task, failure, error, cause, veil)
        created_at = (job.created_at or b"").decode(errors="replace")
        more = {"p:task": task[:ERROR_LIMIT], **(fields or {})}  # of an unknown one it may be anything
        if veil.hidden:
            more["p:secret"] = msgspec.json.encode(veil.hidden)  # for whoever shows its arguments
        if not is_rq_time(created_at):
            more["created_at"] = rq_time()
        ttl = self._settings.failure_ttl if ttl is None else ttl
        return buried(job, cause, failure, more, ttl, entry, happened=happened)

    def unreadable(self, job: Claimed, reason: str, text: str = "", entry: str = "") -> Outcome:
        """Its hash cannot be read: a dead letter, and the fields that would stop RQ's readers are taken out of it."""
        outcome = self.bury(job, Cause.UNDECODABLE, self.told(job, reason, text), entry=entry)
        outcome.after = lambda: self._mend(job.id)
        return outcome

    def failure(
        self,
        job: Claimed,
        error: BaseException,
        started: float,
        death: Death | None = None,
        veil: Veil | None = None,
    ) -> Failure:
        """What is kept of an execution that raised `error`."""
        veil = veil or self.veil(job)
        text = veil("".join(traceback.format_exception(error)))
        told = one_line(error, veil)
        return self._failure(job, started, error=told, fingerprint=fingerprint(error), text=text, death=death)

    def death(self, job: Claimed, task: str, death: Death, started: float) -> Failure:
        """What is kept of an execution that its process did not outlive."""
        error = f"its process died by {death.how}"
        return self._failure(job, started, error=error, fingerprint=digest(death.how, task), death=death)

    def told(self, job: Claimed, reason: str, text: str = "", *, mark: str = "") -> Failure:
        """What is kept of a failure that is told in words. `mark`: its fingerprint."""
        mark = mark or digest("unreadable")
        veil = self.veil(job)
        return self._failure(job, time.time(), error=veil(reason)[:ERROR_LIMIT], fingerprint=mark, text=veil(text))

    def report(
        self,
        job: Claimed,
        task: str,
        failure: Failure,
        error: BaseException | None = None,
        cause: Cause | None = None,
        veil: Veil | None = None,
    ) -> None:
        """Tell the observers of a failure, `cause`: of the last one."""
        if self._app.observers:
            self._app.observers.failed(Report(self._execution(job, task, veil), failure, error, cause))

    def task_of(self, job: Claimed) -> str:
        """The name of a job's task; '' where that cannot be read."""
        try:
            return "" if job.made_by_rq else str(self._reading.plain(job)[0])
        except MessageError:
            return ""

    def _execution(self, job: Claimed, task: str, veil: Veil | None = None) -> Execution:
        headers = read_headers(job.trace or b"{}")
        size, enqueued = len(job.data or b""), epoch(job.enqueued_at or job.created_at)
        place = (job.id, job.queue, task, job.attempt, size, enqueued, headers, self.worker)
        return Execution(*place, lambda: veil or self.veil(job))

    def _failure(
        self, job: Claimed, started: float, *, error: str, fingerprint: str, text: str = "", death: Death | None = None
    ) -> Failure:
        version = self._settings.code_version
        told, trace = sendable(error), sendable(text)[-TEXT_LIMIT:]
        place = (self.worker, HOST, version, death)
        return Failure(job.attempt, started, time.time(), told, fingerprint, trace, *place)

    def _decide(self, name: str, attempt: int, first: float, error: BaseException, *, overran: bool) -> float | Cause:
        if isinstance(error, Discard):
            return Cause.DISCARDED
        task = self._app.tasks.get(name)
        policy = task.retry if task else DEFAULT
        if overran and policy is DEFAULT:
            return Cause.NOT_RETRYABLE  # it would hold a slot, or have a process killed, as long as all attempts last
        return policy.decide(attempt, first, error)

    def _mend(self, job_id: str) -> None:
        stored = self._app.broker.run(calls.read_all(self._app.keys, job_id))
        if names := unreadable_fields(stored):
            self._app.broker.run(calls.drop_fields(self._app.keys, job_id, names))

    def _read(self, job: Claimed) -> Ready | Outcome:
        if len(job.id) > ID_BYTES:  # were its process to die of it, nobody would know
            raise DecodeError(f"its id has {len(job.id):,} characters; {ID_BYTES} at most can be run here")
        if job.deaths >= MOST_DEATHS:
            poison = f"poison: {job.deaths} processes died while they ran it"
            return self.bury(job, Cause.POISON, self.told(job, poison), happened=False)
        alone = ISOLATED if job.deaths and self._can_isolate else ""
        if job.made_by_rq:
            return Ready(job, "", alone or THREAD, 0.0, 0)
        self._reading.check(job)
        expected = self._reading.expected(job)
        name, args, kwargs = expected or self._reading.plain(job)
        job.task = name
        function = self._app.function(name)
        origins = None
        try:
            if expected is None:
                (args, kwargs), origins = self._reading.typed(job, name, args, kwargs)
        except TooNew as error:
            log.info("job %s (%s) is declined: %s", job.id, name, error)
            return declined(job, error.name, error.min_reader, error.what)
        except DecodeError as error:
            mark = digest("does not fit", name, re.sub(r"\d+", "", str(error)))
            return self.bury(job, Cause.UNDECODABLE, self.told(job, str(error), mark=mark), name)
        if job.limits is None and (mine := self._limits(name, args, kwargs)):
            return limited(job, mine)
        executor = alone or self._executors.get(function) or self._choose(name, function)
        timeout, ttl = self._timeout(job, name), self._result_ttl(job, name)
        return Ready(job, name, executor, timeout, ttl, function, args, kwargs, origins)

    def _limits(self, name: str, args: Any, kwargs: Any) -> str:
        task = self._app.tasks.get(name)
        limits = task.prepared.limits if task else ()
        return written(limits, args, kwargs) if limits else ""

    def _choose(self, name: str, function: Callable[..., Any]) -> str:
        task = self._app.tasks.get(name)
        if task is not None and task.isolate:
            executor = ISOLATED
        else:
            executor = COROUTINE if inspect.iscoroutinefunction(function) else THREAD
        self._executors[function] = executor
        return executor

    def _timeout(self, job: Claimed, name: str) -> float:
        if job.timeout is not None:
            return _stored("timeout", job.timeout)
        task = self._app.tasks.get(name)
        declared = task.timeout if task else None
        return self._settings.timeout if declared is None else seconds(declared)

    def _result_ttl(self, job: Claimed, name: str) -> int:
        if job.result_ttl is not None:
            return int(_stored("result_ttl", job.result_ttl))
        task = self._app.tasks.get(name)
        declared = task.result_ttl if task else None
        return self._settings.result_ttl if declared is None else whole_seconds(declared)


def _stored(field: str, text: bytes) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not -1 <= found <= MOST:
        raise DecodeError(f"{field}={text[:60]!r} is no number of seconds")
    return found
