"""Huey, whose consumer pops a job before it runs it."""

from benchmarks.contender import Contender, python, results_in_hash

HUEY = Contender(
    name="Huey",
    peer="huey",
    producer=python("huey_app"),
    worker=("huey_consumer", "benchmarks.apps.huey_app.huey", "-w", "2", "-k", "process", "-q", "-n"),
    finished=results_in_hash("huey.results.bench"),
    counted="fields of the results' hash",
    settings="2 worker processes, quiet, no periodic tasks; results of None are stored",
    guarantee="at most once: popped before it runs; result kept until it is read",
    share=0.4,
    bulk=False,
)
