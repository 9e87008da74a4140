"""RQ: with a process forked for each job (its default), and without (`SimpleWorker`).

`--quiet`, because RQ logs several lines a job otherwise: each contender gets its better side.
"""

from benchmarks.contender import Contender, entries, python

_FINISHED = entries("rq:finished:default")
_COUNTED = "entries of the finished registry"
_GUARANTEE = "a killed worker's job fails after minutes, unless it has a Retry; result kept 500 s"

RQ_SIMPLE = Contender(
    name="RQ SimpleWorker",
    peer="rq",
    producer=python("rq_app"),
    worker=("rq", "worker", "--quiet", "--worker-class", "rq.worker.SimpleWorker"),
    finished=_FINISHED,
    counted=_COUNTED,
    settings="--quiet, SimpleWorker: no fork",
    guarantee=_GUARANTEE,
    share=0.075,
)

RQ_FORK = Contender(
    name="RQ fork worker",
    peer="rq",
    producer=python("rq_app"),
    worker=("rq", "worker", "--quiet"),
    finished=_FINISHED,
    counted=_COUNTED,
    settings="--quiet",
    guarantee=_GUARANTEE,
    share=0.01,
    produces=False,
)
