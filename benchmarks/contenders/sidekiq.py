"""Sidekiq, on Ruby: the open-source edition, which pops a job before it runs it."""

from benchmarks.contender import Contender, unclaimed

SIDEKIQ = Contender(
    name="Sidekiq",
    peer="sidekiq",
    producer=("ruby", "benchmarks/apps/sidekiq_app.rb"),
    worker=("sidekiq", "-r", "./benchmarks/apps/sidekiq_app.rb", "-c", "5", "-q", "default"),
    finished=unclaimed("queue:default"),
    counted="jobs that have left the queue, before they run: it has no results",
    settings="5 threads, logs warnings only",
    guarantee="at most once: popped before it runs; no results",
    grace=10.0,
)
