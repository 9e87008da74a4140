"""Postroom, as its README starts it."""

from benchmarks.contender import Contender, entries, python

POSTROOM = Contender(
    name="Postroom",
    peer="postroom",
    producer=python("postroom_app"),
    worker=("postroom", "worker", "benchmarks.apps.postroom_app:app", "-p", "{processes}"),
    finished=entries("rq:finished:default"),
    counted="entries of the finished registry, written with the result",
    settings="defaults",
    guarantee="at least once: leases, fencing tokens; result kept 500 s, an event for each transition, retries",
    slots=1000,
)
