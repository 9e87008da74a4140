"""Of a trace that is not sampled the sampler is asked once."""

from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

from postroom.integrations.otel import OtelObserver
from postroom.jobs.observers import Execution, read_headers
from postroom.jobs.secrets import Veil


class Asked(Sampler):
    """Records what its parent was."""

    def __init__(self) -> None:
        self.times = 0

    def should_sample(self, *asked: Any, **more: Any) -> SamplingResult:
        """Never."""
        self.times += 1
        return SamplingResult(Decision.DROP)

    def get_description(self) -> str:
        """Its name."""
        return "asked"


def executions(trace: int, *, sampled: bool, count: int) -> Sequence[Execution]:
    header = f"00-{trace:032x}-{1:016x}-{int(sampled):02x}"
    headers = read_headers(f'{{"traceparent":"{header}"}}'.encode())
    return [Execution(str(n), "q", "t", 1, 2, None, headers, "w", Veil) for n in range(count)]


def times_asked(*several: Sequence[Execution]) -> int:
    observer, sampler = OtelObserver(), Asked()
    observer._tracer = TracerProvider(sampler=sampler).get_tracer("test")
    for some in several:
        for execution in some:
            with observer.processing(execution):
                pass
    return sampler.times


def test_once_for_each_trace_that_is_not_sampled() -> None:
    assert times_asked(executions(7, sampled=False, count=3), executions(8, sampled=False, count=3)) == 2


def test_each_time_where_the_producers_span_is_sampled() -> None:
    assert times_asked(executions(7, sampled=True, count=3)) == 3


def test_each_time_where_there_is_no_producers_span() -> None:
    without = Execution("1", "q", "t", 1, 2, None, read_headers(b"{}"), "w", Veil)
    assert times_asked([without, without]) == 2


def test_headers_that_cannot_be_read_are_none() -> None:
    assert read_headers(b"[") == read_headers(b"[1]") == {}
