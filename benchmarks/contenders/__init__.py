"""The contenders, each a file of its own. The first is measured against the others, which are compared with the second."""

from benchmarks.contender import Contender
from benchmarks.contenders.bullmq import BULLMQ
from benchmarks.contenders.huey import HUEY
from benchmarks.contenders.postroom import POSTROOM
from benchmarks.contenders.rq import RQ_FORK, RQ_SIMPLE
from benchmarks.contenders.sidekiq import SIDEKIQ

ALL: tuple[Contender, ...] = (POSTROOM, RQ_SIMPLE, RQ_FORK, HUEY, BULLMQ, SIDEKIQ)
OURS, BASE = POSTROOM, RQ_SIMPLE
