"""streaq."""

from benchmarks.contender import Contender, entries, python

STREAQ = Contender(
    name="streaq",
    peer="streaq",
    producer=python("streaq_app"),
    worker=("streaq", "run", "benchmarks.apps.streaq_app:worker", "--workers", "{processes}"),
    finished=entries("streaq:default:index:results"),
    counted="entries of the results' index, written with the result",
    settings="concurrency 16",
    guarantee="at least once: a dead worker's jobs run again after 60 s; result kept 5 min",
    share=0.12,
    slots=16,
)
