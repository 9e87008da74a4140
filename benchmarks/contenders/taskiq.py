"""taskiq: on a list, and on a stream with a consumer group."""

from dataclasses import replace

from benchmarks.contender import Contender, keys_of_db_1, python

_APP = ("benchmarks.apps.taskiq_app:broker", "--log-level", "ERROR", "--max-async-tasks", "{slots}")

TASKIQ_LIST = Contender(
    name="taskiq list",
    peer="taskiq",
    producer=python("taskiq_app"),
    worker=("taskiq", "worker", *_APP, "--max-prefetch", "100", "--workers", "{processes}"),
    finished=keys_of_db_1,
    counted="keys of the result backend, in a database of its own",
    settings="100 at once, prefetch 100, logs errors only; results are stored",
    guarantee="at most once: popped before it runs; result kept 500 s",
    share=0.25,
    slots=100,
)

TASKIQ_STREAM = replace(
    TASKIQ_LIST,
    name="taskiq stream",
    guarantee="at least once: a dead worker's jobs run again after 10 min; result kept 500 s",
)
