"""The duty of uprooting: where whoever canceled a job was gone before its children were canceled, too, they are."""

from postroom.jobs import calls
from postroom.jobs.app import Postroom


class Uproot:
    """Cancels the children of canceled jobs."""

    every = 1.0

    def do(self, app: Postroom) -> None:
        """One round."""
        while app.broker.run(calls.uproot(app.keys)):
            pass
