"""BullMQ, on Node."""

from benchmarks.contender import Contender, entries

BULLMQ = Contender(
    name="BullMQ",
    peer="bullmq",
    producer=("node", "benchmarks/apps/bullmq_app.mjs"),
    worker=("node", "benchmarks/apps/bullmq_app.mjs", "work"),
    finished=entries("bull:bench:completed"),
    counted="entries of the completed set, written with the result",
    settings="concurrency 50",
    guarantee="at least once: a lock for each job, stalled jobs go back after 30 to 60 s; result kept for ever",
)
