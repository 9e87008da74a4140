"""OpenTelemetry: a span where jobs are enqueued, and one for each execution, in one trace, by the official API.

Attributes are those of https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/. What is done with spans,
an SDK decides that the program has set up; without one they cost little and go nowhere.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

from opentelemetry import context, propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN_CONTEXT, Link, Span, SpanKind, Status, StatusCode

from postroom.jobs.app import Postroom
from postroom.jobs.observers import Execution, Observer, Publication, Report

_running: ContextVar[tuple[str, Span] | None] = ContextVar("postroom_otel_running", default=None)
"""The job whose span this is."""


def instrument(app: Postroom) -> None:
    """Trace what this app enqueues and runs. A second call changes nothing."""
    if not any(isinstance(observer, OtelObserver) for observer in app.observers):
        app.observers.add(OtelObserver())


class OtelObserver(Observer):
    """Tells OpenTelemetry."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer("postroom")
        self._last = _Producer({})

    @contextmanager
    def publishing(self, publication: Publication) -> Iterator[Mapping[str, str]]:
        """A span `publish <queue>`, and the headers that continue its trace."""
        attributes = _attributes("publish", "send", publication.queue, publication.task)
        attributes["messaging.message.body.size"] = publication.size
        if len(publication.ids) == 1:
            attributes["messaging.message.id"] = publication.ids[0]
        else:
            attributes["messaging.batch.message_count"] = len(publication.ids)
        with self._tracer.start_as_current_span(
            f"publish {publication.queue}", kind=SpanKind.PRODUCER, attributes=attributes
        ):
            headers: dict[str, str] = {}
            propagate.inject(headers)
            yield headers

    def processing(self, execution: Execution) -> AbstractContextManager[None]:
        """A span `process <queue>`, the child of what enqueued the job, and linked to it."""
        return _Processing(execution.id, self._begin(execution))

    def failed(self, report: Report) -> None:
        """The error, on the execution's span; where no handler raised it, on one made now."""
        running = _running.get()
        if running is not None and running[0] == report.execution.id:
            _tell(running[1], report)
            return
        span = self._begin(report.execution, report.failure.started)
        _tell(span, report)
        span.end()

    def flush(self, seconds: float) -> None:
        """Send what is unsent, where the SDK can."""
        flush = getattr(trace.get_tracer_provider(), "force_flush", None)
        if flush is not None:
            flush(int(seconds * 1000))

    def _begin(self, execution: Execution, started: float | None = None) -> Span:
        producer = self._last
        if producer.headers != execution.headers:  # jobs that were enqueued together have one
            self._last = producer = _Producer(execution.headers)
        if producer.dropped is not None:
            return producer.dropped
        span = self._tracer.start_span(
            f"process {execution.queue}",
            producer.context,
            SpanKind.CONSUMER,
            _attributes("process", "process", execution.queue, execution.task),
            producer.links,
            None if started is None else int(started * 1e9),
        )
        if span.is_recording():
            span.set_attribute("messaging.message.id", execution.id)
            span.set_attribute("messaging.message.body.size", execution.size)
            span.set_attribute("messaging.client.id", execution.worker)
            span.set_attribute("postroom.attempt", execution.attempt)
            if execution.enqueued is not None:
                span.set_attribute("postroom.wait", max(0.0, (started or time.time()) - execution.enqueued))
        elif producer.unsampled:
            producer.dropped = span
        return span


class _Producer:
    """What enqueued a job: its context, and a link to it.

    Where its trace is not sampled and the sampler drops a span in it, the other spans of this trace are dropped, too,
    without asking: most traces are not sampled, and asking takes longer than all else that is done for a job.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self.context: Context | None = propagate.extract(headers) if headers else None
        told = trace.get_current_span(self.context).get_span_context() if self.context else INVALID_SPAN_CONTEXT
        self.links = [Link(told)] if told.is_valid else []
        self.unsampled = told.is_valid and not told.trace_flags.sampled
        self.dropped: Span | None = None


class _Processing(AbstractContextManager[None]):
    """A span around a handler. Not `trace.use_span`: what the handler raises is told by `failed`, without secrets, and
    this runs for each job. Nothing is set back: the context is the job's own, and goes with it.
    """

    def __init__(self, job_id: str, span: Span) -> None:
        self._job_id, self._span = job_id, span

    def __enter__(self) -> None:
        context.attach(trace.set_span_in_context(self._span))
        _running.set((self._job_id, self._span))

    def __exit__(self, *_: object) -> None:
        self._span.end()


def _attributes(name: str, kind: str, queue: str, task: str) -> dict[str, Any]:
    return {
        "messaging.system": "postroom",
        "messaging.operation.name": name,
        "messaging.operation.type": kind,
        "messaging.destination.name": queue,
        "postroom.task": task,
    }


def _tell(span: Span, report: Report) -> None:
    """By https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/."""
    failure = report.failure
    kind = failure.error.partition(":")[0] if report.error is not None else str(report.cause or "lost")
    span.set_status(Status(StatusCode.ERROR, failure.error))
    span.set_attribute("error.type", kind)
    if report.cause is not None:
        span.set_attribute("postroom.cause", str(report.cause))
    span.add_event(
        "exception",
        {
            "exception.type": kind,
            "exception.message": failure.error,
            "exception.stacktrace": failure.traceback,
        },
    )
