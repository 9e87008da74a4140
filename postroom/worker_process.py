"""One worker process, started by its pool: `python -m postroom.worker_process ORDERS LIFELINE`. Not for people."""

import faulthandler
import json
import logging
import os
import signal
import sys

from postroom.jobs.app import Postroom
from postroom.jobs.naming import import_target
from postroom.workers.board import Board
from postroom.workers.lifeline import hold
from postroom.workers.worker import Orders, Worker


def main(said: str, lifeline: int) -> int:
    """Work as ordered; the exit code."""
    hold(lifeline)
    # The thread that speaks to the server must not wait 5 ms for its turn while short jobs run: the server would idle.
    sys.setswitchinterval(0.0005)
    told = json.loads(said)
    orders = Orders(**{**told["orders"], "queues": tuple(told["orders"]["queues"])})
    stack = os.fdopen(told["stack"], "w")
    faulthandler.enable(stack)
    faulthandler.register(signal.SIGTTIN, all_threads=True)
    log_plainly(orders.verbose)
    app: Postroom = import_target(orders.target)
    app.load()
    board = Board(orders.slots, told["board"])
    worker = Worker(app, orders, told["process"], board)
    signal.signal(signal.SIGTERM, lambda *_: worker.stop(1))
    # INT is only ever the pool's, for its second: a terminal's does not reach this process group. TERM may come both
    # from the pool and from whoever stops all processes at once: it counts once.
    signal.signal(signal.SIGINT, lambda *_: worker.stop(2))
    signal.signal(signal.SIGTSTP, lambda *_: worker.quiet())
    code = worker.run()
    board.end()
    return code


def log_plainly(verbose: bool) -> None:
    """Postroom's logs on stderr, unless the app has set up logging of its own."""
    logger = logging.getLogger("postroom")
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    if not logger.handlers and not logging.getLogger().handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s [%(process)d] %(message)s"))
        logger.addHandler(handler)


if __name__ == "__main__":
    code = main(sys.argv[1], int(sys.argv[2]))
    logging.shutdown()
    # Not sys.exit: threads that still run a job would hold the process, and the job is another's by now.
    sys.stdout.flush()
    os._exit(code)
