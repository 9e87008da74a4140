"""Correlation: which job enqueued which, and what work all of them are a part of. On where the setting says so.

The ids travel as headers of observers, under the names of CloudEvents' correlation extension
(https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/correlation.md): `causationid` is the job that
enqueued this one, `correlationid` the same for all; it is left out where it is the `causationid`, so that Redis can
keep the job in its compact form.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from postroom.jobs.context import correlation, current
from postroom.jobs.observers import Execution, Observer, Publication

CORRELATION, CAUSATION = "correlationid", "causationid"


class Correlation(Observer):
    """Sends the ids along, and takes them up."""

    @contextmanager
    def publishing(self, publication: Publication) -> Iterator[Mapping[str, str]]:
        """Where a job enqueues, or the program has said what it works on."""
        run, work = current.get(None), correlation.get()
        headers = {CORRELATION: work} if work else {}
        yield headers if run is None else {**headers, CAUSATION: run.id}

    def processing(self, execution: Execution) -> AbstractContextManager[object]:
        """What the job's own jobs will say."""
        return _within(execution.headers.get(CORRELATION) or execution.headers.get(CAUSATION, ""))


@contextmanager
def _within(work: str) -> Iterator[None]:
    token = correlation.set(work)
    try:
        yield
    finally:
        correlation.reset(token)
