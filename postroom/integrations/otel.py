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
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode

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
        self._last: tuple[Mapping[str, str], Context | None, list[Link]] = ({}, None, [])

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
        parent, links = self._producer(execution.headers)
        span = self._tracer.start_span(
            f"process {execution.queue}",
            parent,
            SpanKind.CONSUMER,
            _attributes("process", "process", execution.queue, execution.task),
            links,
            None if started is None else int(started * 1e9),
        )
        if span.is_recording():  # most are not, where traces are sampled
            span.set_attribute("messaging.message.id", execution.id)
            span.set_attribute("messaging.message.body.size", execution.size)
            span.set_attribute("messaging.client.id", execution.worker)
            span.set_attribute("postroom.attempt", execution.attempt)
            if execution.enqueued is not None:
                span.set_attribute("postroom.wait", max(0.0, (started or time.time()) - execution.enqueued))
        return span

    def _producer(self, headers: Mapping[str, str]) -> tuple[Context | None, list[Link]]:
        """The context of what enqueued a job, and a link to it. Jobs that were enqueued together have one."""
        known, parent, links = self._last
        if headers != known:
            parent, links = None, []
            if headers:
                parent = propagate.extract(headers)
                producer = trace.get_current_span(parent).get_span_context()
                links = [Link(producer)] if producer.is_valid else []
            self._last = (headers, parent, links)
        return parent, links


class _Processing(AbstractContextManager[None]):
    """A span around a handler. Not `trace.use_span`: what the handler raises is told by `failed`, without secrets, and
    this runs for each job.
    """

    def __init__(self, job_id: str, span: Span) -> None:
        self._job_id, self._span = job_id, span

    def __enter__(self) -> None:
        self._context = context.attach(trace.set_span_in_context(self._span))
        self._token = _running.set((self._job_id, self._span))

    def __exit__(self, *_: object) -> None:
        _running.reset(self._token)
        context.detach(self._context)
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
