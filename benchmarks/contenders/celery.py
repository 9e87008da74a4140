"""Celery with its prefork pool."""

from benchmarks.contender import Contender, keys_of_db_1, python

_QUIET = ("-l", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat")

CELERY = Contender(
    name="Celery",
    peer="celery",
    producer=python("celery_app"),
    worker=("celery", "-A", "benchmarks.apps.celery_app", "worker", "-P", "prefork", "-c", "2", *_QUIET),
    finished=keys_of_db_1,
    counted="keys of the result backend, in a database of its own",
    settings="prefork 2, prefetch 100, logs errors only, no gossip, mingle, heartbeat",
    guarantee="at most once: acknowledged before it runs, and those prefetched go back after 1 h; result kept a day",
    share=0.15,
    bulk=False,
)
