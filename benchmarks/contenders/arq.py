"""arq, tuned: by default it looks for jobs twice a second and runs ten at once."""

from benchmarks.contender import Contender, python, unfinished

ARQ = Contender(
    name="arq",
    peer="arq",
    producer=python("arq_app"),
    worker=("arq", "benchmarks.apps.arq_app.Worker"),
    finished=unfinished("arq:queue"),
    counted="jobs that have left the queue, in the transaction that writes the result",
    settings="max_jobs 100, poll_delay 10 ms, no log of results",
    guarantee="at least once: a dead worker's jobs run again after the job timeout of 300 s; result kept 1 h",
    share=0.2,
    slots=100,
)
