"""Read a claimed job, and say what became of it. The calling in between is the executors'."""

import contextvars
import inspect
import logging
import math
import time
import traceback
from collections.abc import Callable
from typing import Any

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.codecs import decode_call, encode_result
from postroom.jobs.context import Run, current
from postroom.jobs.errors import DecodeError, EncodeError, JobInterrupted, JobTimeout, MessageError
from postroom.jobs.interop import unreadable_fields
from postroom.jobs.options import seconds, whole_seconds
from postroom.jobs.times import MOST, parse_rq_time, rq_time
from postroom.workers.claimed import Claimed
from postroom.workers.outcome import TRACEBACK_LIMIT, Outcome, buried, finished, released, retried
from postroom.workers.ready import COROUTINE, ISOLATED, THREAD, Ready

log = logging.getLogger("postroom.worker")

MOST_DEATHS = 3
"""Worker processes that a job may take with it before it is a dead letter."""


class Runner:
    """Knows the app's tasks and settings. Used by any thread."""

    def __init__(self, app: Postroom, *, can_isolate: bool = False) -> None:
        self._app = app
        self._can_isolate = can_isolate
        self._settings = app.settings
        self._executors: dict[Callable[..., Any], str] = {}

    def read(self, job: Claimed) -> Ready | Outcome:
        """The job, ready to run, or its burial where it cannot be read. Never raises."""
        try:
            return self._read(job)
        except DecodeError as error:
            return self.unreadable(job, str(error), time.time())
        except MessageError as error:
            return self.bury(job, str(error), "", time.time())
        except Exception as error:  # ours: one job must not stop the others
            log.exception("job %s could not be read", job.id)
            return self.bury(job, one_line(error), traceback.format_exc(), time.time())

    def context(self, ready: Ready) -> contextvars.Context:
        """A context of the job's own, with `current_job` in it."""
        job = ready.job
        context = contextvars.Context()
        context.run(current.set, Run(job.id, job.queue, ready.name, job.attempt, job.token))
        return context

    def returned(self, ready: Ready, value: Any, started: float) -> Outcome:
        """The handler returned `value`."""
        job = ready.job
        try:
            result = b"" if ready.result_ttl == 0 else encode_result(value, self._settings.payload_limit)
        except EncodeError as error:
            return self.bury(job, str(error), "", started)
        return finished(job, result, started, time.time(), ready.result_ttl)

    def raised(self, ready: Ready, error: BaseException, started: float) -> Outcome:
        """The handler raised `error`: ask the task's policy what now."""
        job, name = ready.job, ready.name
        if isinstance(error, JobInterrupted):
            return released(job)  # canceled: the fence answers STALE, and the job leaves our hands
        if isinstance(error, JobTimeout):
            # As TimeoutError, so that a retry policy can name it.
            text = f"the handler ran longer than its timeout of {ready.timeout:g} s"
            error = TimeoutError(text).with_traceback(error.__traceback__)
        text = "".join(traceback.format_exception(error))
        task = self._app.tasks.get(name)
        if task is None or task.retry is None:
            return self.bury(job, one_line(error), text, started)
        first = job.first_started or started
        try:
            delay = task.retry.delay(job.attempt, first, error)
        except Exception as broken:
            reason = f"{one_line(error)}; and its retry policy raised {one_line(broken)}"
            return self.bury(job, reason, traceback.format_exc(), started)
        if delay is None:
            return self.bury(job, one_line(error), text, started)
        told = (job.id, name, job.attempt, delay, one_line(error))
        log.info("job %s (%s) failed, attempt %d; again in %.1f s: %s", *told)
        fields = {"p:attempt": job.attempt, "p:first": f"{first:.6f}", "exc_info": text[-TRACEBACK_LIMIT:]}
        return retried(job, delay, fields)

    def died(self, ready: Ready, how: str, started: float) -> Outcome:
        """The isolated process died with this job in it, and no other: nobody else can have done it."""
        job = ready.job
        deaths = job.deaths + 1
        if deaths >= MOST_DEATHS:
            return self.bury(job, f"poison: {deaths} processes died while they ran it, the last by {how}", "", started)
        log.warning("job %s: its process died by %s, death %d; it will run again", job.id, how, deaths)
        return retried(job, 0.0, {"p:deaths": deaths, "p:death": how})

    def bury(
        self, job: Claimed, reason: str, text: str, started: float, *, ttl: int | None = None, entry: str = ""
    ) -> Outcome:
        """It is a dead letter. A date that cannot be read is replaced, lest it stop RQ's readers."""
        log.warning("job %s is a dead letter: %s", job.id, reason)
        created_at = (job.created_at or b"").decode(errors="replace")
        if not _is_date(created_at):
            created_at = rq_time()
        ttl = self._settings.failure_ttl if ttl is None else ttl
        return buried(
            job, reason, text or reason, started, ttl, attempt=job.attempt, created_at=created_at, entry=entry
        )

    def unreadable(self, job: Claimed, reason: str, started: float, text: str = "", entry: str = "") -> Outcome:
        """Its hash cannot be read: a dead letter, and the fields that would stop RQ's readers are taken out of it."""
        outcome = self.bury(job, reason, text, started, entry=entry)
        outcome.after = lambda: self._mend(job.id)
        return outcome

    def _mend(self, job_id: str) -> None:
        stored = self._app.broker.run(calls.read_all(self._app.keys, job_id))
        if names := unreadable_fields(stored):
            self._app.broker.run(calls.drop_fields(self._app.keys, job_id, names))

    def _read(self, job: Claimed) -> Ready | Outcome:
        if job.deaths >= MOST_DEATHS:
            return self.bury(job, f"poison: {job.deaths} processes died while they ran it", "", time.time())
        alone = ISOLATED if job.deaths and self._can_isolate else ""
        if job.made_by_rq:
            return Ready(job, "", alone or THREAD, 0.0, 0)
        name, args, kwargs = self._decode(job)
        function = self._app.function(name)
        executor = alone or self._executors.get(function) or self._choose(name, function)
        return Ready(job, name, executor, self._timeout(job, name), self._result_ttl(job, name), function, args, kwargs)

    def _decode(self, job: Claimed) -> tuple[str, Any, Any]:
        if job.content_type == "foreign":
            raise DecodeError(
                "a key of another type stood where the job's hash belongs; it was put aside as "
                f"{self._app.keys.foreign(job.id)}"
            )
        created_at = (job.created_at or b"").decode(errors="replace")
        if created_at and not _is_date(created_at):
            raise DecodeError(f"created_at={created_at[:60]!r} is no date")
        return decode_call(job.data, job.content_type, job.saved_by_rq, 10 * self._settings.payload_limit)

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


def one_line(error: BaseException) -> str:
    """An error in one line. Never raises."""
    try:
        text = str(error)
    except Exception:
        text = "(its text cannot be told)"
    return f"{type(error).__name__}: {text}".rstrip(": ").replace("\n", " ")[:500]


def _is_date(text: str) -> bool:
    try:
        parse_rq_time(text)
    except ValueError:
        return False
    return True


def _stored(field: str, text: bytes) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not -1 <= found <= MOST:
        raise DecodeError(f"{field}={text[:60]!r} is no number of seconds")
    return found
