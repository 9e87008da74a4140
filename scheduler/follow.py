"""The duty of following: where a job that held a key was taken away behind our back, the next one follows."""

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.errors import ScriptFailed

BATCH = 500
"""Keys that are looked at in a round: so many are no scan, however many are busy."""
AGE = 10.0
"""Seconds after which a key is looked at again."""


class Follow:
    """Looks at the busy keys in turn. RQ's tools delete and cancel a job without a word to those behind it."""

    every = 1.0

    def do(self, app: Postroom) -> None:
        """One round."""
        _, refused = app.broker.run(calls.follow(app.keys, AGE, BATCH))
        for key, why in refused:
            raise ScriptFailed(f"the next job of the key {key!r} cannot be put where it belongs: {why}")
