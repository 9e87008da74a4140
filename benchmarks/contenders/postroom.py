"""Postroom, as its README starts it."""

from benchmarks.contender import Contender

POSTROOM = Contender(
    name="Postroom",
    app="benchmarks.apps.postroom_app",
    worker=("postroom", "worker", "benchmarks.apps.postroom_app:app", "--burst"),
    finished_key="rq:finished:default",
)
