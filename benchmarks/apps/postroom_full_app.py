"""Postroom's no-op task with everything on: a typed argument, tracing and events here, metrics by the worker's flag.

Tracing is what a busy shop would run: OpenTelemetry's SDK, one trace of a hundred sampled at the producer.
"""

from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from benchmarks.apps import postroom_app
from postroom import Postroom


class _Nowhere(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Drop them: a collector would be another process."""
        return SpanExportResult.SUCCESS


_provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(0.01)))
_provider.add_span_processor(BatchSpanProcessor(_Nowhere()))
trace.set_tracer_provider(_provider)

app = Postroom(otel=True, events="on")


@app.task
def noop(payload: str = "") -> None:
    """Do nothing."""


def connect() -> None:
    """Reach the server, so that the clock need not wait for it."""
    app.broker.ping()


def bulk(count: int, size: int) -> None:
    """Enqueue `count` jobs, with so many bytes of payload."""
    noop.enqueue_many([("x" * size,) if size else ()] * count)


read = postroom_app.read
