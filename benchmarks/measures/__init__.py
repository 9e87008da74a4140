"""The measures, each a file of its own."""

from benchmarks.measure import Measure
from benchmarks.measures.bulk import Bulk
from benchmarks.measures.drain import Drain
from benchmarks.measures.enqueue import Enqueue

ALL: tuple[Measure, ...] = (Drain(), Enqueue(), Bulk())
