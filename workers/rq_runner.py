"""Run a job that RQ's producer made, with RQ's callbacks, Retry, Repeat, Group and webhooks around the handler."""

import time
import traceback

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.codecs import JSON
from postroom.jobs.context import Run
from postroom.jobs.errors import JobTimeout, MessageError
from postroom.jobs.interop import ExcInfo, RqJob, failure_entry
from postroom.workers.claimed import Claimed
from postroom.workers.outcome import Outcome, finished, retried
from postroom.workers.runner import Runner
from postroom.workers.timeouts import Slot


class RqRunner:
    """Runs RQ's jobs of one app, from any thread."""

    def __init__(self, app: Postroom, process: str, runner: Runner) -> None:
        self._app = app
        self._process = process
        self._runner = runner
        self._client = app.broker.client()

    def run(self, job: Claimed, slot: Slot) -> Outcome:
        """Run `job` in the calling thread, whose place is `slot`."""
        started = time.time()
        slot.started, slot.claim = started, (job.id, job.token)
        try:
            theirs = self._load(job)
        except MessageError as error:
            entry = failure_entry(job.id, self._client, self._process, str(error))
            return self._runner.bury(job, str(error), "", started, entry=entry)
        try:
            return self._run(job, theirs, slot, started)
        except BaseException as error:  # the handler's or a callback's; SystemExit must not end the thread
            return self._failed(job, theirs, error, started)
        finally:
            slot.claim = None

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

    def _run(self, job: Claimed, theirs: RqJob, slot: Slot, started: float) -> Outcome:
        settings = self._app.settings
        run = Run(job.id, job.queue, theirs.name, job.attempt, job.token)
        value = self._runner.call(theirs.call, (), {}, run, slot, theirs.timeout or settings.timeout)
        again = theirs.asks_for_retry(value)
        if again is not None:
            delay, front, fields = again
            return self._after(theirs, retried(job, delay, fields, front=front))
        theirs.succeeded(value)
        ttl = settings.result_ttl if theirs.result_ttl is None else theirs.result_ttl
        entry = theirs.entry(self._process, job.token, started, return_value=value)
        return self._after(theirs, finished(job, b"", started, time.time(), ttl, entry))

    def _failed(self, job: Claimed, theirs: RqJob, error: BaseException, started: float) -> Outcome:
        shown = TimeoutError("the handler ran longer than its timeout") if isinstance(error, JobTimeout) else error
        exc_info: ExcInfo = (type(shown), shown, error.__traceback__)
        again = theirs.may_retry()
        try:
            text = "".join(traceback.format_exception(*exc_info))
            if again is None:
                theirs.failed(exc_info, text)
            else:
                theirs.failed_and_retried(exc_info)
        except BaseException as callbacks:  # a failing callback takes the failure's place, as in RQ
            shown, text = callbacks, "".join(traceback.format_exception(callbacks))
        if again is not None:
            delay, front, fields = again
            return self._after(theirs, retried(job, delay, {**fields, "exc_info": text[-20_000:]}, front=front))
        entry = theirs.entry(self._process, job.token, started, exc_string=text)
        reason = f"{type(shown).__name__}: {shown}"
        return self._after(theirs, self._runner.bury(job, reason, text, started, ttl=theirs.failure_ttl, entry=entry))

    def _after(self, theirs: RqJob, outcome: Outcome) -> Outcome:
        outcome.after = theirs.release_rate_limit
        return outcome


def is_theirs(job: Claimed) -> bool:
    """Is this a job that RQ's rules hold for?"""
    return job.content_type not in (JSON, "foreign")
