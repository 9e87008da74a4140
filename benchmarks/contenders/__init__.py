"""The contenders, each a file of its own. The first is ours; the second is what all are compared with."""

from benchmarks.contender import Contender
from benchmarks.contenders.arq import ARQ
from benchmarks.contenders.bullmq import BULLMQ
from benchmarks.contenders.celery import CELERY
from benchmarks.contenders.dramatiq import DRAMATIQ
from benchmarks.contenders.huey import HUEY
from benchmarks.contenders.postroom import POSTROOM
from benchmarks.contenders.rq import RQ_FORK, RQ_SIMPLE
from benchmarks.contenders.saq import SAQ
from benchmarks.contenders.sidekiq import SIDEKIQ
from benchmarks.contenders.streaq import STREAQ
from benchmarks.contenders.taskiq import TASKIQ_LIST, TASKIQ_STREAM

ALL: tuple[Contender, ...] = (
    POSTROOM,
    RQ_SIMPLE,
    RQ_FORK,
    CELERY,
    DRAMATIQ,
    HUEY,
    ARQ,
    SAQ,
    TASKIQ_LIST,
    TASKIQ_STREAM,
    STREAQ,
    BULLMQ,
    SIDEKIQ,
)
OURS, BASE = POSTROOM, RQ_SIMPLE
PYTHON_PEERS = tuple(one for one in ALL if one not in {OURS, BULLMQ, SIDEKIQ})
