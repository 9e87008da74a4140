"""Sentry: failures of jobs as events, traces that go on from the producer to the worker, check-ins of schedules.

Spans and their data are those of Sentry's queue monitoring:
https://docs.sentry.io/platforms/python/tracing/instrumentation/custom-instrumentation/queues-module/
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import sentry_sdk
from msgspec import structs
from sentry_sdk.integrations import Integration
from sentry_sdk.tracing import TransactionSource
from sentry_sdk.types import Event, Hint
from sentry_sdk.utils import BadDsn, event_from_exception

from postroom.integrations.sentry_checkins import check_in
from postroom.integrations.sentry_scrubber import scrubbed
from postroom.jobs.app import Postroom
from postroom.jobs.errors import ConfigError
from postroom.jobs.observers import Execution, Observer, Publication, Report, everywhere

_EVENTS = ("last", "every")


@dataclass(slots=True)
class _Running:
    """The job whose scope this is."""

    id: str
    failed: bool = False


_running: ContextVar[_Running | None] = ContextVar("postroom_sentry_running", default=None)


class PostroomIntegration(Integration):
    """For `sentry_sdk.init(integrations=[PostroomIntegration()])`, in producers and workers.

    Args:
        events: which failures are events: `last`, when a job becomes a dead letter, or `every` failed execution.
        arguments: send a job's arguments along; secret ones as `***`.

    Raises:
        ConfigError: `events` is neither.
    """

    identifier = "postroom"
    origin = "auto.queue.postroom"

    def __init__(self, events: str = "last", *, arguments: bool = False) -> None:
        if events not in _EVENTS:
            raise ConfigError(f"PostroomIntegration(events={events!r}): 'last' or 'every'")
        self.events, self.arguments = events, arguments

    @staticmethod
    def setup_once() -> None:
        """Called by sentry_sdk, once a process."""
        if not any(isinstance(observer, SentryObserver) for observer in everywhere):
            everywhere.append(SentryObserver())


def activate(app: Postroom) -> None:
    """Let failures of a worker's jobs be events. An app that has initialised sentry_sdk itself keeps its own options.

    Raises:
        ConfigError: the DSN cannot be read.
    """
    settings = app.settings
    if not sentry_sdk.get_client().dsn and settings.sentry_dsn:
        try:
            sentry_sdk.init(
                dsn=settings.sentry_dsn,
                release=settings.code_version or None,
                traces_sample_rate=settings.sentry_traces or None,
                integrations=[PostroomIntegration()],
            )
        except BadDsn as error:
            raise ConfigError(f"sentry_dsn (POSTROOM_SENTRY_DSN, SENTRY_DSN) is no DSN of Sentry's: {error}") from None
    elif sentry_sdk.get_client().dsn:
        PostroomIntegration.setup_once()


class SentryObserver(Observer):
    """Tells Sentry; nothing where this process's client has no DSN."""

    _default = PostroomIntegration()
    """Of an app that has initialised sentry_sdk without ours."""

    @contextmanager
    def publishing(self, publication: Publication) -> Iterator[Mapping[str, str]]:
        """A span `queue.publish`, and the headers that continue its trace, where there is an active span."""
        if self._integration is None or sentry_sdk.get_current_span() is None:
            yield {}
            return
        with sentry_sdk.start_span(
            op="queue.publish", name=publication.task, origin=PostroomIntegration.origin
        ) as span:
            count = len(publication.ids)
            span.set_data("messaging.system", "postroom")
            span.set_data("messaging.destination.name", publication.queue)
            span.set_data("messaging.message.body.size", publication.size)
            if count == 1:
                span.set_data("messaging.message.id", publication.ids[0])
            else:
                span.set_data("messaging.batch.message_count", count)
            headers = {"sentry-trace": sentry_sdk.get_traceparent(), "baggage": sentry_sdk.get_baggage()}
            yield {name: value for name, value in headers.items() if value}

    @contextmanager
    def processing(self, execution: Execution) -> Iterator[None]:
        """A scope of the job's own, and in it a transaction with a span `queue.process`."""
        if self._integration is None:
            yield
            return
        with _scope_of(execution):
            transaction = sentry_sdk.continue_trace(
                dict(execution.headers),
                op="queue.task.postroom",
                name=execution.task or "unknown task",
                source=TransactionSource.TASK,
                origin=PostroomIntegration.origin,
            )
            sampling = {"postroom_job": {"id": execution.id, "queue": execution.queue, "task": execution.task}}
            running, began = _Running(execution.id), time.time()
            token = _running.set(running)
            check_in(execution, "in_progress")
            try:
                with (
                    sentry_sdk.start_transaction(transaction, custom_sampling_context=sampling),
                    sentry_sdk.start_span(
                        op="queue.process", name=execution.task, origin=PostroomIntegration.origin
                    ) as span,
                ):
                    for name, value in _process_data(execution).items():
                        span.set_data(name, value)
                    span.set_status("ok")
                    transaction.set_status("ok")
                    yield
            finally:
                _running.reset(token)
                if not running.failed:
                    check_in(execution, "ok", time.time() - began)

    def failed(self, report: Report) -> None:
        """An event, where such failures are wanted."""
        integration, execution = self._integration, report.execution
        if integration is None:
            return
        running = _running.get()
        within = running is not None and running.id == execution.id
        if running is not None and within:
            running.failed = True
        if report.cause is not None:
            check_in(execution, "error", report.failure.ended - report.failure.started)
        span = sentry_sdk.get_current_span() if within else None
        if span is not None:
            span.set_status("internal_error")
            if span.containing_transaction is not None:
                span.containing_transaction.set_status("internal_error")
        if report.cause is None and integration.events == "last":
            return
        if within:
            _capture(report, integration)
        else:
            with _scope_of(execution):
                sentry_sdk.continue_trace(dict(execution.headers))
                _capture(report, integration)

    def flush(self, seconds: float) -> None:
        """Send what is unsent."""
        sentry_sdk.get_client().flush(timeout=seconds)

    @property
    def _integration(self) -> PostroomIntegration | None:
        """Ours, as this process's client has it; None where it has no DSN."""
        client = sentry_sdk.get_client()
        if not client.dsn:
            return None
        return client.get_integration(PostroomIntegration) or self._default


@contextmanager
def _scope_of(execution: Execution) -> Iterator[None]:
    """Whatever is sent in here carries the job's tags and not its secrets: also what the handler sends itself."""

    def process(event: Event, hint: Hint) -> Event:
        return scrubbed(event, execution.veil())

    with sentry_sdk.isolation_scope() as scope:
        scope.clear_breadcrumbs()
        scope.add_event_processor(process)
        scope.set_tags(
            {
                "queue": execution.queue,
                "task": execution.task,
                "attempt": str(execution.attempt),
                "job_id": execution.id,
            }
        )
        yield


def _process_data(execution: Execution) -> dict[str, Any]:
    data: dict[str, Any] = {
        "messaging.system": "postroom",
        "messaging.message.id": execution.id,
        "messaging.destination.name": execution.queue,
        "messaging.message.retry.count": execution.attempt - 1,
        "messaging.message.body.size": execution.size,
    }
    if execution.enqueued is not None:
        data["messaging.message.receive.latency"] = max(0.0, (time.time() - execution.enqueued) * 1000)
    return data


def _capture(report: Report, integration: PostroomIntegration) -> None:
    execution, failure, error = report.execution, report.failure, report.error
    event: Event = {"level": "error", "message": failure.error}
    hint: Hint = {}
    if error is not None:
        exc_info = (type(error), error, error.__traceback__)
        options = sentry_sdk.get_client().options
        event, hint = event_from_exception(
            exc_info, client_options=options, mechanism={"type": "postroom", "handled": False}
        )
    context: dict[str, Any] = {
        "reason": failure.error,
        "cause": str(report.cause or "will be tried again"),
        "fingerprint": failure.fingerprint,
        "worker": failure.worker,
        "host": failure.host,
        "version": failure.version,
    }
    if failure.death is not None:
        context["death"] = structs.asdict(failure.death)
    if integration.arguments:
        context["args"], context["kwargs"] = execution.veil().arguments
    event["fingerprint"] = [failure.fingerprint]
    event["transaction"] = execution.task
    event["tags"] = {"cause": str(report.cause or "retry")}
    event["contexts"] = {"postroom": context}
    sentry_sdk.capture_event(event, hint=hint)
