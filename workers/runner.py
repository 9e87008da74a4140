"""Run one claimed job: decode, call, and say what became of it."""

import asyncio
import contextvars
import inspect
import logging
import math
import time
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.codecs import decode_call, encode_result
from postroom.jobs.context import Run, current
from postroom.jobs.errors import DecodeError, JobTimeout, MessageError
from postroom.jobs.interop import unreadable_fields
from postroom.jobs.options import seconds, whole_seconds
from postroom.jobs.times import MOST, parse_rq_time, rq_time
from postroom.workers.claimed import Claimed
from postroom.workers.outcome import TRACEBACK_LIMIT, Outcome, buried, finished, retried
from postroom.workers.timeouts import Slot

log = logging.getLogger("postroom.worker")

CLEANUP = 0.5
"""Seconds that a coroutine has to clean up when its time is over."""


class Runner:
    """Runs jobs of one app, from any thread. Whatever a job does, an Outcome comes back."""

    def __init__(self, app: Postroom, process: str) -> None:
        self._app = app
        self._process = process
        self._settings = app.settings

    def run(self, job: Claimed, slot: Slot) -> Outcome:
        """Run `job` in the calling thread, whose place is `slot`."""
        started = time.time()
        slot.started, slot.claim = started, (job.id, job.token)
        try:
            return self._run(job, slot, started)
        except DecodeError as error:
            return self.unreadable(job, str(error), started)
        except MessageError as error:
            return self.bury(job, str(error), "", started)
        except BaseException as error:  # ours: the job must end and the thread go on all the same
            log.exception("job %s could not be run", job.id)
            return self.bury(job, _line(error), "".join(traceback.format_exception(error)), started)
        finally:
            slot.claim = None

    def _run(self, job: Claimed, slot: Slot, started: float) -> Outcome:
        name, args, kwargs = self._read(job)
        function = self._app.function(name)
        timeout, ttl = self._timeout(job, name), self._result_ttl(job, name)
        run = Run(job.id, job.queue, name, job.attempt, job.token)
        try:
            value = self.call(function, args, kwargs, run, slot, timeout)
        except JobTimeout as error:
            # As TimeoutError, so that a retry policy can name it.
            shown = TimeoutError(f"the handler ran longer than its timeout of {timeout:g} s")
            return self._failed(job, name, shown.with_traceback(error.__traceback__), started)
        except BaseException as error:  # the handler's; SystemExit must not end the thread
            return self._failed(job, name, error, started)
        result = b"" if ttl == 0 else encode_result(value, self._settings.payload_limit)
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
            value = context.run(function, *args, **kwargs)
        finally:
            slot.disarm()
        if not inspect.iscoroutine(value):
            return value
        # The loop's own timer ends a coroutine that waits. The alarm is for one that computes, and comes later, lest it
        # strike asyncio while that is cleaning up.
        slot.arm(timeout + CLEANUP if timeout > 0 else timeout)
        try:
            return context.run(asyncio.run, _within(timeout, value))
        finally:
            slot.disarm()

    def _failed(self, job: Claimed, name: str, error: BaseException, started: float) -> Outcome:
        """The handler raised: ask the task's policy what now."""
        text = "".join(traceback.format_exception(error))
        task = self._app.tasks.get(name)
        if task is None or task.retry is None:
            return self.bury(job, _line(error), text, started)
        first = job.first_started or started
        try:
            delay = task.retry.delay(job.attempt, first, error)
        except Exception as broken:
            reason = f"{_line(error)}; and its retry policy raised {_line(broken)}"
            return self.bury(job, reason, "".join(traceback.format_exception(broken)), started)
        if delay is None:
            return self.bury(job, _line(error), text, started)
        told = (job.id, name, job.attempt, delay, _line(error))
        log.info("job %s (%s) failed, attempt %d; again in %.1f s: %s", *told)
        fields = {"p:attempt": job.attempt, "p:first": f"{first:.6f}", "exc_info": text[-TRACEBACK_LIMIT:]}
        return retried(job, delay, fields)

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


async def _within(limit: float, coroutine: Coroutine[Any, Any, Any]) -> Any:
    """A coroutine that waits is not reached by the thread's alarm: it is canceled when its time is over."""
    try:
        async with asyncio.timeout(limit if limit > 0 else None) as timer:
            return await coroutine
    except TimeoutError as error:
        if timer.expired():
            raise JobTimeout from error
        raise


def _line(error: BaseException) -> str:
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
