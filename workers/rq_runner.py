"""Run a job that RQ's producer made, with RQ's callbacks, Retry, Repeat, Group and webhooks around the handler."""

import logging
import time
import traceback
from typing import Any

from msgspec import structs

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.errors import BrokerError, JobTimeout, MessageError
from postroom.jobs.failure import ERROR_LIMIT, TEXT_LIMIT, Cause
from postroom.jobs.interop import Again, ExcInfo, RqJob, failure_entry
from postroom.jobs.secrets import Veil
from postroom.workers.claimed import Claimed
from postroom.workers.handler import call
from postroom.workers.outcome import Outcome, finished, released, retried
from postroom.workers.ready import THREAD, Ready
from postroom.workers.runner import Runner
from postroom.workers.slots import Slot

log = logging.getLogger("postroom.worker")


class RqRunner:
    """Runs RQ's jobs of one app, from any thread."""

    def __init__(self, app: Postroom, process: str, runner: Runner) -> None:
        self._app = app
        self._process = process
        self._runner = runner
        self._client = app.broker.client()

    def run(self, ready: Ready, slot: Slot, started: float) -> Outcome:
        """Run the job in the calling thread, whose place is `slot`."""
        job = ready.job
        try:
            return self._run(job, slot, started)
        except MessageError as error:
            return self._unreadable(job, str(error))
        except BrokerError:
            return released(job)
        except BaseException as error:  # ours: the job must end and the thread go on all the same
            text = _text(self._runner.veil(job), type(error), error, error.__traceback__)
            log.warning("job %s could not be run: %s", job.id, text)
            return self._unreadable(job, text)

    def _load(self, job: Claimed) -> RqJob:
        stored = self._app.broker.run(calls.read_all(self._app.keys, job.id))
        return RqJob.load(
            job.id,
            stored,
            self._client,
            self._app.function,
            pickled=job.queue in self._app.pickle_queues,
            limit=10 * self._app.settings.payload_limit,
        )

    def _run(self, job: Claimed, slot: Slot, started: float) -> Outcome:
        theirs = self._load(job)
        job.task = theirs.name
        timeout = theirs.timeout or self._app.settings.timeout
        ready = Ready(job, theirs.name, THREAD, timeout, 0, RqJob.call, (theirs,), {})
        run = self._observed if self._runner.observed else self._settled
        return self._runner.context(ready).run(run, ready, theirs, slot, started)

    def _observed(self, ready: Ready, theirs: RqJob, slot: Slot, started: float) -> Outcome:
        with self._runner.observe(ready):
            return self._settled(ready, theirs, slot, started)

    def _settled(self, ready: Ready, theirs: RqJob, slot: Slot, started: float) -> Outcome:
        try:
            return self._call(ready, theirs, slot, started)
        except BaseException as error:  # the handler's or a callback's; SystemExit must not end the thread
            return self._failed(ready.job, theirs, error, started)

    def _call(self, ready: Ready, theirs: RqJob, slot: Slot, started: float) -> Outcome:
        settings, job = self._app.settings, ready.job
        value = call(ready, slot, started)
        again = theirs.asks_for_retry(value)
        if again is not None:
            return self._again(job, theirs, again)
        theirs.succeeded(value)
        ttl = settings.result_ttl if theirs.result_ttl is None else theirs.result_ttl
        entry = theirs.entry(self._process, job.token, started, return_value=value)
        return self._after(theirs, finished(job, b"", started, time.time(), ttl, entry))

    def _failed(self, job: Claimed, theirs: RqJob, error: BaseException, started: float) -> Outcome:
        shown = TimeoutError("the handler ran longer than its timeout") if isinstance(error, JobTimeout) else error
        exc_info: ExcInfo = (type(shown), shown, error.__traceback__)
        again = theirs.may_retry()
        veil = theirs.veil(self._runner.secret_names)
        try:
            text = _text(veil, *exc_info)
            theirs.failed(exc_info, text, for_good=again is None)
        except BaseException as callbacks:  # a failing callback takes the failure's place, as in RQ
            text = _text(veil, type(callbacks), callbacks, callbacks.__traceback__)
        failure = self._runner.failure(job, shown, started, veil=veil)
        failure = structs.replace(failure, error=_last_line(text)[:ERROR_LIMIT], traceback=text[-TEXT_LIMIT:])
        if again is not None:
            self._runner.report(job, theirs.name, failure, shown, veil=veil)
            return self._again(job, theirs, again)
        entry = theirs.entry(self._process, job.token, started, exc_string=text)
        cause = Cause.EXHAUSTED if theirs.had_retries else Cause.NOT_RETRYABLE
        kept: dict[str, Any] = {"ttl": theirs.failure_ttl, "entry": entry, "error": shown, "veil": veil}
        return self._after(theirs, self._runner.bury(job, cause, failure, theirs.name, **kept))

    def _unreadable(self, job: Claimed, text: str) -> Outcome:
        entry = failure_entry(job.id, self._client, self._process, text)
        return self._runner.unreadable(job, _last_line(text), text, entry)

    def _again(self, job: Claimed, theirs: RqJob, again: Again) -> Outcome:
        # Not with its traceback, as a job of ours: RQ's readers would show it even when the job has finished.
        delay, front, fields = again
        return self._after(theirs, retried(job, float(delay), {**fields, "p:attempt": job.attempt}, front=front))

    def _after(self, theirs: RqJob, outcome: Outcome) -> Outcome:
        outcome.after = theirs.release_rate_limit
        return outcome


def _text(veil: Veil, *exc_info: Any) -> str:
    """The traceback, without secrets. What UTF-8 cannot carry, such as a file's name that is no text, is escaped."""
    return veil("".join(traceback.format_exception(*exc_info))).encode("utf-8", "backslashreplace").decode()


def _last_line(text: str) -> str:
    return text.rstrip().rpartition("\n")[2]
