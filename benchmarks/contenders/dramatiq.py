"""Dramatiq with its results, which are an option."""

from benchmarks.contender import Contender, keys_of_db_1, python

_APP = ("benchmarks.apps.dramatiq_app", "--processes", "{processes}", "--threads", "8")

DRAMATIQ = Contender(
    name="Dramatiq",
    peer="dramatiq",
    producer=python("dramatiq_app"),
    worker=("dramatiq", *_APP),
    finished=keys_of_db_1,
    counted="keys of the result backend, in a database of its own",
    settings="8 threads; results are stored",
    guarantee="at least once: a dead worker's jobs go back after 60 s; result kept 10 min, retries",
    share=0.25,
    bulk=False,
)
