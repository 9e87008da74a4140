"""Prometheus: what a pool and its server tell, by prometheus-client. docs/metrics.md lists it.

Names follow https://prometheus.io/docs/practices/naming/. The workers count in shared memory (workers/tally.py), so
that only the pool imports prometheus-client, and the numbers of processes that have died stay.
"""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from postroom.jobs.broker import Broker
from postroom.jobs.errors import BrokerError
from postroom.monitor.gauges import Gauges, read_gauges
from postroom.scheduler import Duty
from postroom.scheduler.recover import Recover
from postroom.workers.record import Record, Standing
from postroom.workers.tally import BOUNDS, Row, Times

_LABELS = ("queue", "task")


class Metrics(Collector):
    """Of a pool, or of a process that only does the duties, which has no record.

    Args:
        broker: how the server is asked; one that gives up soon.
        queues: those that have labels of their own.
        duties: those that this process does.
    """

    def __init__(
        self, broker: Broker, queues: Sequence[str], duties: Sequence[Duty], record: Record | None = None
    ) -> None:
        self._broker, self._queues, self._record = broker, queues, record
        self._recovers = [duty for duty in duties if isinstance(duty, Recover)]
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def page(self, accept: str) -> tuple[bytes, int, str]:
        """All of them, in the form that the client prefers: body, status, content type."""
        encode, kind = choose_encoder(accept)
        return encode(self._registry), 200, kind

    def describe(self) -> Iterable[Metric]:
        """Nothing: the names are ours alone, and asking the server for them would be dear."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All of them."""
        standing = self._record.standing() if self._record else None
        if self._record is not None and standing is not None:
            totals = self._record.totals()
            yield from _jobs(totals.rows)
            yield from _pool(standing, totals.outages)
        recovered = sum(duty.recovered for duty in self._recovers)
        yield from _duties(recovered + (standing.recovered if standing else 0))
        yield from _server(self._look())

    def _look(self) -> Gauges | None:
        try:
            return read_gauges(self._broker, self._queues)
        except BrokerError:
            return None


def _jobs(rows: Sequence[Row]) -> Iterator[Metric]:
    jobs = CounterMetricFamily("postroom_jobs", "Executions by what came of them.", labels=(*_LABELS, "outcome"))
    took = HistogramMetricFamily("postroom_job_duration_seconds", "How long handlers ran.", labels=_LABELS)
    waited = HistogramMetricFamily(
        "postroom_job_wait_seconds", "From when a job was put on its queue to when its handler began.", labels=_LABELS
    )
    for row in rows:
        labels = (row.queue, row.task)
        for outcome, count in row.outcomes.items():
            jobs.add_metric((*labels, outcome), count)
        took.add_metric(labels, _buckets(row.took), row.took.sum)
        waited.add_metric(labels, _buckets(row.waited), row.waited.sum)
    yield from (jobs, took, waited)


def _buckets(times: Times) -> list[tuple[str, float]]:
    bounds = (*map(floatToGoString, BOUNDS), "+Inf")
    return list(zip(bounds, times.counts, strict=True))


def _pool(standing: Standing, outages: int) -> Iterator[Metric]:
    yield GaugeMetricFamily("postroom_jobs_in_flight", "Jobs that run now in this pool.", standing.running)
    yield CounterMetricFamily("postroom_claims", "Claims that brought jobs.", standing.claims)
    yield CounterMetricFamily("postroom_outages", "How often a worker process found the server away.", outages)
    yield GaugeMetricFamily("postroom_processes", "Worker processes of this pool.", standing.processes)
    yield GaugeMetricFamily("postroom_processes_wanted", "Those that there shall be.", standing.wanted)
    yield CounterMetricFamily(
        "postroom_process_restarts", "Worker processes that were started in another's place.", standing.restarts
    )
    yield CounterMetricFamily(
        "postroom_process_deaths", "Worker processes that did not end by themselves.", standing.deaths
    )
    yield GaugeMetricFamily(
        "postroom_processes_resident_memory_bytes", "Resident memory of all worker processes.", standing.memory
    )


def _duties(recovered: int) -> Iterator[Metric]:
    yield CounterMetricFamily(
        "postroom_jobs_recovered", "Jobs of lost worker processes that this process put back.", recovered
    )


def _server(gauges: Gauges | None) -> Iterator[Metric]:
    yield GaugeMetricFamily("postroom_server_up", "1 where the server answered.", gauges is not None)
    shown = {
        "depth": GaugeMetricFamily("postroom_queue_depth", "Jobs that may be claimed.", labels=("queue",)),
        "oldest": GaugeMetricFamily(
            "postroom_queue_oldest_age_seconds", "How long the oldest of them has waited.", labels=("queue",)
        ),
        "running": GaugeMetricFamily("postroom_queue_running", "Jobs in workers' hands.", labels=("queue",)),
        "scheduled": GaugeMetricFamily("postroom_queue_scheduled", "Jobs that wait for their time.", labels=("queue",)),
        "declined": GaugeMetricFamily("postroom_queue_declined", "Jobs that wait for other code.", labels=("queue",)),
        "deferred": GaugeMetricFamily(
            "postroom_queue_deferred", "Jobs that wait for their key, or for other jobs.", labels=("queue",)
        ),
        "dead": GaugeMetricFamily("postroom_queue_dead", "Dead letters.", labels=("queue",)),
        "expired": GaugeMetricFamily("postroom_queue_expired", "Jobs that did not begin in time.", labels=("queue",)),
        "paused": GaugeMetricFamily("postroom_queue_paused", "1 where nobody may claim.", labels=("queue",)),
    }
    for name, queue in gauges.queues.items() if gauges else ():
        for field, family in shown.items():
            family.add_metric((name,), getattr(queue, field))
    yield from shown.values()
    workers = GaugeMetricFamily("postroom_workers", "Live worker processes on the server, of all pools.", labels=())
    if gauges:
        workers.add_metric((), gauges.workers)
    yield workers
