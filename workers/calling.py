"""What a thread does with a job. Whatever the handler does, an Outcome comes back."""

import logging
import time

from postroom.jobs.failure import Cause
from postroom.workers.handler import call
from postroom.workers.outcome import Outcome, released
from postroom.workers.ready import Ready
from postroom.workers.rq_runner import RqRunner
from postroom.workers.runner import Runner
from postroom.workers.slots import Slot

log = logging.getLogger("postroom.worker")


class Calling:
    """Runs jobs in threads: ours by the runner's rules, RQ's by RQ's."""

    def __init__(self, runner: Runner, theirs: RqRunner) -> None:
        self._runner, self._theirs = runner, theirs

    def __call__(self, ready: Ready, slot: Slot) -> Outcome:
        """Run `ready` in the calling thread, whose place is `slot`."""
        if not ready.begin():
            return released(ready.job)  # the next claim sees that it has expired
        started = ready.job.started = time.time()
        try:
            if ready.function is None:
                return self._theirs.run(ready, slot, started)
            run = self._observed if self._runner.observed else self._call
            return self._runner.context(ready).run(run, ready, slot, started)
        except BaseException as error:
            # Nothing may end the thread with the job in its hands: neither a mistake of ours nor an alarm of RQ's
            # callbacks that arrives late.
            failure = self._runner.failure(ready.job, error, started)
            log.warning("job %s could not be run: %s", ready.job.id, failure.traceback)
            return self._runner.bury(ready.job, Cause.NOT_RETRYABLE, failure, ready.name, error=error)
        finally:
            slot.leave()

    def _observed(self, ready: Ready, slot: Slot, started: float) -> Outcome:
        with self._runner.observe(ready):
            return self._call(ready, slot, started)

    def _call(self, ready: Ready, slot: Slot, started: float) -> Outcome:
        try:
            value = call(ready, slot, started)
        except BaseException as error:  # the handler's; SystemExit must not end the thread
            return self._runner.raised(ready, error, started)
        return self._runner.returned(ready, value, started)
