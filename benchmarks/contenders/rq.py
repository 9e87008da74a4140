"""RQ: with a process forked for each job (its default), and without (`SimpleWorker`).

`--quiet`, because RQ logs several lines a job otherwise: each contender gets its better side.
"""

from benchmarks.contender import Contender

_APP, _FINISHED = "benchmarks.apps.rq_app", "rq:finished:default"

RQ_SIMPLE = Contender(
    name="RQ SimpleWorker",
    app=_APP,
    worker=("rq", "worker", "--burst", "--quiet", "--worker-class", "rq.worker.SimpleWorker"),
    finished_key=_FINISHED,
    share=0.1,
)

RQ_FORK = Contender(
    name="RQ fork worker",
    app=_APP,
    worker=("rq", "worker", "--burst", "--quiet"),
    finished_key=_FINISHED,
    share=0.015,
    produces=False,
)
