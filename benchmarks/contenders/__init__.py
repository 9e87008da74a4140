"""The contenders, each a file of its own. The first is measured against the second."""

from benchmarks.contender import Contender
from benchmarks.contenders.postroom import POSTROOM
from benchmarks.contenders.rq import RQ_FORK, RQ_SIMPLE

ALL: tuple[Contender, ...] = (POSTROOM, RQ_SIMPLE, RQ_FORK)
OURS, BASE = POSTROOM, RQ_SIMPLE
