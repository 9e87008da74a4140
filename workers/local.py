"""A worker in this process, without a pool: for tests, notebooks and bursts from a script.

Its lease is kept by a thread of this very process, so a handler that holds the GIL for a lease's time loses it; and
what a pool does about hard deadlines and dead processes, nobody does here.
"""

import os
from collections.abc import Sequence

from postroom.jobs.app import Postroom
from postroom.workers.board import Board
from postroom.workers.keeper import Keeper
from postroom.workers.worker import Orders, Worker, new_process_name


class LocalWorker:
    """Runs the jobs of `queues` (default: every queue that the app's tasks name) in this process.

    Args:
        concurrency: threads; `Settings.concurrency` where not given.
        burst: stop when the queues are empty.
    """

    def __init__(
        self, app: Postroom, queues: Sequence[str] = (), *, concurrency: int | None = None, burst: bool = False
    ) -> None:
        orders = Orders(
            queues=tuple(queues),
            concurrency=concurrency or app.settings.concurrency,
            coroutines=app.settings.coroutines,
            burst=burst,
        )
        self.process = new_process_name()
        self._app, self._orders, self._board = app, orders, Board(orders.slots)
        self._worker = Worker(app, orders, self.process, self._board)

    def run(self) -> None:
        """Work until stopped, or, in a burst, until the queues are empty.

        Raises:
            BrokerError: the server was not reached at the start.
        """
        keeper = Keeper(self._app)
        keeper.add(self._board, self._orders.announcement(self._app, self.process, os.getpid()))
        try:
            self._worker.run()
        finally:
            keeper.stop()
            self._board.close()

    def stop(self) -> None:
        """Let running jobs end, then return from `run`. A second call gives the running jobs back."""
        self._worker.stop()
