"""The targets that the maintainers have set for Postroom."""

from benchmarks.contender import Contender
from benchmarks.contenders import BASE, OURS, PYTHON_PEERS
from benchmarks.contenders.bullmq import BULLMQ
from benchmarks.contenders.huey import HUEY
from benchmarks.contenders.sidekiq import SIDEKIQ
from benchmarks.measure import Figure
from benchmarks.measures import bulk, coroutines, depth, drain, dressed, enqueue, latency, renewals, retention, typed
from benchmarks.target import Target


def _least(figure: Figure, bound: float, *against: Contender, over: Figure | None = None) -> Target:
    return Target(OURS.name, figure, bound, against=tuple(peer.name for peer in against), over=over)


def _most(figure: Figure, bound: float, *against: Contender, over: Figure | None = None) -> Target:
    return Target(OURS.name, figure, bound, at_most=True, against=tuple(peer.name for peer in against), over=over)


ALL: tuple[Target, ...] = (
    _least(drain.ONE, 100, BASE),
    _least(drain.ONE, 5, *PYTHON_PEERS),
    _least(drain.ONE, 2, BULLMQ),
    _least(drain.TWO, 2, SIDEKIQ),
    _least(enqueue.RATE, 2.3, BASE),
    _least(enqueue.RATE, 0.9, HUEY),
    _least(drain.PAYLOAD, 0.9, OURS, over=drain.ONE),
    _least(drain.PAYLOAD, 1.4, BULLMQ),
    _least(typed.TYPED, 0.85, OURS, over=typed.UNTYPED),
    _least(dressed.METRICS, 0.95, OURS, over=drain.ONE),
    _least(dressed.EVERYTHING, 0.9, OURS, over=drain.ONE),
    _least(dressed.EVERYTHING, 1.4, BULLMQ, over=drain.ONE),
    _least(bulk.RATE, 8, BASE),
    _least(bulk.RATE, 1, SIDEKIQ),
    _most(latency.MIDDLE, 1.0, SIDEKIQ),
    _most(latency.SLOWEST, 1.5, SIDEKIQ),
    _most(coroutines.SECONDS, 2),
    _most(bulk.SIZE, 450),
    _most(drain.MEMORY, 45),
    _most(depth.DEEP, 1.5, OURS, over=depth.SHALLOW),
    _most(renewals.MANY, 1.1, OURS, over=renewals.ONE),
    _most(retention.PEAK, 512),
)
