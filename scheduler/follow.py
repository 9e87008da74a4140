"""The duty of following: where a job that held a key was taken away behind our back, the next one follows; likewise one
that had a place in a limit.
"""

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.errors import ScriptFailed
from postroom.jobs.limit_calls import mend

BATCH = 500
"""Keys, and limits, that are looked at in a round: so many are no scan, however many are busy."""
AGE = 10.0
"""Seconds after which a key, or a limit, is looked at again."""


class Follow:
    """Looks at those that are busy in turn. RQ's tools delete and cancel a job without a word to those behind it."""

    every = 1.0

    def do(self, app: Postroom) -> None:
        """One round."""
        (_, refused), _ = app.broker.run_many([calls.follow(app.keys, AGE, BATCH), mend(app.keys, AGE, BATCH)])
        for key, why in refused:
            raise ScriptFailed(f"the next job of the key {key!r} cannot be put where it belongs: {why}")
