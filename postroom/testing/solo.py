"""A worker in the calling thread: one job after the other, in the same steps each time, as tests need it.

The scripts, the runner and the fence are those of any worker. What a pool does is not here: no timeout but a
coroutine's is kept, no lease is renewed, `isolate=True` is not obeyed.
"""

from collections.abc import Sequence
from typing import Any

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.errors import PostroomError
from postroom.workers.board import Board
from postroom.workers.calling import Calling
from postroom.workers.claimed import FOR_MESSAGES, read_claim
from postroom.workers.outcome import Outcome, settle_calls
from postroom.workers.rq_runner import RqRunner
from postroom.workers.runner import Runner
from postroom.workers.slots import Slot
from postroom.workers.worker import new_process_name


class Solo:
    """Runs what is queued on the app's server."""

    def __init__(self, app: Postroom) -> None:
        self._app, self._broker, self._keys = app, app.broker, app.keys
        self._process = new_process_name()
        self._runner = Runner(app, self._process)
        self._calling = Calling(self._runner, RqRunner(app, self._process, self._runner))
        self._requests: dict[str, int] = {}

    def run(self) -> int:
        """Run jobs until no queue has one; how many there were.

        Raises:
            BrokerError: the server is away, or refuses.
            PostroomError: somebody else has given this worker up, as after a lease's time in one handler.
        """
        board, count = Board(1), 0
        try:
            slot = Slot(board, 0, 0.0)
            while ran := sum(self._empty(queue, slot) for queue in self._queues()):
                count += ran
        finally:
            board.close()
            self._broker.run(calls.recover(self._keys, self._process, resigned=True))
        return count

    def _queues(self) -> Sequence[str]:
        """Those that there are; what is new among them is joined."""
        queues = self._broker.run(calls.queue_names(self._keys))
        if new := set(queues) - set(self._requests):
            self._requests |= dict.fromkeys(sorted(new), 0)
            self._broker.run(calls.join(self._keys, self._process, self._app.settings.lease, self._requests))
        return queues

    def _empty(self, queue: str, slot: Slot) -> int:
        count = 0
        while jobs := self._claim(queue):
            for job in jobs:
                read = self._runner.read(job)
                self._settle(read if isinstance(read, Outcome) else self._calling(read, slot))
                count += 1
        return count

    def _claim(self, queue: str) -> list[Any]:
        request, lease = self._requests[queue] + 1, self._app.settings.lease
        asked = calls.claim(self._keys, queue, self._process, request, 1, lease, more=FOR_MESSAGES)
        reply = self._broker.run(asked)
        if reply == [calls.GONE]:
            raise PostroomError("this worker was given up by another one: let no other worker run on a test's server")
        jobs = [] if reply == [calls.PAUSED] else read_claim(reply, queue, 0.0)
        self._requests[queue] += bool(jobs)
        return jobs

    def _settle(self, outcome: Outcome) -> None:
        for call, _ in settle_calls([outcome], self._keys, self._process, self._app.settings):
            self._broker.run(call)
        if outcome.after:
            outcome.after()
