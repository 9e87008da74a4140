"""The measures, each a file of its own."""

from benchmarks.measure import Measure
from benchmarks.measures.bulk import Bulk
from benchmarks.measures.coroutines import Coroutines
from benchmarks.measures.depth import Depth
from benchmarks.measures.drain import DRAIN, DRAIN_PAYLOAD, DRAIN_TWO
from benchmarks.measures.dressed import DRESSED_EVERYTHING, DRESSED_METRICS
from benchmarks.measures.enqueue import Enqueue
from benchmarks.measures.latency import Latency
from benchmarks.measures.renewals import Renewals
from benchmarks.measures.retention import Retention
from benchmarks.measures.typed import ORDERS_TYPED, ORDERS_UNTYPED

USUAL: tuple[Measure, ...] = (
    DRAIN,
    DRESSED_METRICS,
    DRESSED_EVERYTHING,
    DRAIN_TWO,
    DRAIN_PAYLOAD,
    ORDERS_UNTYPED,
    ORDERS_TYPED,
    Enqueue(),
    Bulk(),
    Latency(),
    Coroutines(),
    Renewals(),
    Depth(),
)


def named(seconds: int) -> dict[str, Measure]:
    """Every measure by name: also `retention`, which takes so long that it is done only when it is asked for."""
    return {measure.name: measure for measure in (*USUAL, Retention(seconds))}
