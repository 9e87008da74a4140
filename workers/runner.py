"""Run one claimed job: decode, call, and say what became of it."""

import asyncio
import contextvars
import inspect
import logging
import time
import traceback
from collections.abc import Callable
from typing import Any

from postroom.jobs.app import Postroom
from postroom.jobs.codecs import decode_call, encode_result
from postroom.jobs.context import Run, current
from postroom.jobs.errors import DecodeError, EncodeError, JobTimeout, MessageError
from postroom.jobs.options import seconds, whole_seconds
from postroom.jobs.times import parse_rq_time, rq_time
from postroom.workers.claimed import Claimed
from postroom.workers.outcome import Outcome, buried, finished, retried
from postroom.workers.timeouts import Slot

log = logging.getLogger("postroom.worker")


class Runner:
    """Runs jobs of one app, from any thread. Whatever a job does, an Outcome comes back."""

    def __init__(self, app: Postroom, process: str) -> None:
        self._app = app
        self._process = process
        self._settings = app.settings
        self._coroutines: dict[Callable[..., Any], bool] = {}

    def run(self, job: Claimed, slot: Slot) -> Outcome:
        """Run `job` in the calling thread, whose place is `slot`."""
        started = time.time()
        slot.started, slot.claim = started, (job.id, job.token)
        try:
            name, args, kwargs = self._read(job)
            function = self._app.function(name)
        except MessageError as error:
            return self.bury(job, str(error), "", started)
        run = Run(job.id, job.queue, name, job.attempt, job.token)
        try:
            value = self.call(function, args, kwargs, run, slot, self._timeout(job, name))
            ttl = self._result_ttl(job, name)
            result = b"" if ttl == 0 else encode_result(value, self._settings.payload_limit)
        except EncodeError as error:
            return self.bury(job, str(error), traceback.format_exc(), started)
        except BaseException as error:  # the handler's; SystemExit must not end the thread
            return self.failed(job, name, error, started)
        finally:
            slot.claim = None
        return finished(job, result, started, time.time(), ttl)

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any, run: Run, slot: Slot, timeout: float) -> Any:
        """Call the handler in a context of its own, under its timeout.

        Raises:
            JobTimeout: it overran. Everything else is the handler's.
        """
        context = contextvars.Context()
        context.run(current.set, run)
        slot.arm(timeout)
        try:
            if self._is_coroutine(function):
                return context.run(asyncio.run, function(*args, **kwargs))
            return context.run(function, *args, **kwargs)
        finally:
            slot.disarm()

    def failed(self, job: Claimed, name: str, error: BaseException, started: float) -> Outcome:
        """The handler raised: ask the task's policy what now."""
        shown = _shown(error, self._timeout(job, name))
        text = "".join(traceback.format_exception(shown))
        task = self._app.tasks.get(name)
        if task is not None and task.retry is not None:
            first = job.first_started or started
            delay = task.retry.delay(job.attempt, first, shown)
            if delay is not None:
                log.info(
                    "job %s (%s) failed, attempt %d; again in %.1f s: %s",
                    job.id,
                    name,
                    job.attempt,
                    delay,
                    _line(shown),
                )
                fields = {"p:attempt": job.attempt, "p:first": f"{first:.6f}", "exc_info": text[-20_000:]}
                return retried(job, delay, fields)
        return self.bury(job, _line(shown), text, started)

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

    def _read(self, job: Claimed) -> tuple[str, Any, Any]:
        if job.content_type == "foreign":
            raise DecodeError(
                "a key of another type stood where the job's hash belongs; it was put aside as "
                f"{self._app.keys.foreign(job.id)}"
            )
        created_at = (job.created_at or b"").decode(errors="replace")
        if created_at and not _is_date(created_at):
            raise DecodeError(f"created_at={created_at[:60]!r} is no date")
        return decode_call(job.data, job.content_type, job.saved_by_rq, 10 * self._settings.payload_limit)

    def _timeout(self, job: Claimed, name: str) -> float:
        if job.timeout is not None:
            return _number(job.timeout, self._settings.timeout)
        task = self._app.tasks.get(name)
        declared = task.timeout if task else None
        return self._settings.timeout if declared is None else seconds(declared)

    def _result_ttl(self, job: Claimed, name: str) -> int:
        if job.result_ttl is not None:
            return int(_number(job.result_ttl, self._settings.result_ttl))
        task = self._app.tasks.get(name)
        declared = task.result_ttl if task else None
        return self._settings.result_ttl if declared is None else whole_seconds(declared)

    def _is_coroutine(self, function: Callable[..., Any]) -> bool:
        known = self._coroutines.get(function)
        if known is None:
            known = self._coroutines[function] = inspect.iscoroutinefunction(function)
        return known


def _shown(error: BaseException, timeout: float) -> BaseException:
    """What users see of an error: a timeout as TimeoutError, so that a retry policy can name it."""
    if isinstance(error, JobTimeout):
        return TimeoutError(f"the handler ran longer than its timeout of {timeout:g} s").with_traceback(
            error.__traceback__
        )
    return error


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ").replace("\n", " ")


def _is_date(text: str) -> bool:
    try:
        parse_rq_time(text)
    except ValueError:
        return False
    return True


def _number(text: bytes, default: float) -> float:
    try:
        return float(text)
    except ValueError:
        return default
