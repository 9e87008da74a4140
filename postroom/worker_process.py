"""A worker process, or the fork server that worker processes come from: `python -m postroom.worker_process`.

A pool starts it, as `work ORDER LIFELINE` or `serve ORDER SOCKET`. Not for people.
"""

import faulthandler
import json
import logging
import os
import signal
import socket
import sys
from typing import Any, NoReturn

from postroom.jobs.app import Postroom
from postroom.jobs.naming import import_target
from postroom.jobs.observers import FLUSH
from postroom.logs import log_plainly
from postroom.workers.board import Board
from postroom.workers.forkserver import serve
from postroom.workers.lifeline import die_with_parent, hold
from postroom.workers.process import FDS
from postroom.workers.warm import fork_warm
from postroom.workers.worker import Orders, Worker

LINE = "%(asctime)s %(levelname)s [%(process)d] %(message)s"


def main(verb: str, said: str, fd: int) -> None:
    """Do what the pool says."""
    order = json.loads(said)
    die_with_parent()
    if verb == "serve":
        log_plainly(order["verbose"], order["log_json"], LINE)
        load(order["target"])
        serve(socket.socket(fileno=fd), FDS, work)
    else:
        work(order, fd)


def load(target: str) -> Postroom:
    """The app, with all modules that declare tasks."""
    app: Postroom = import_target(target)
    app.load()
    return app


def work(order: dict[str, Any], lifeline: int) -> NoReturn:
    """Work as ordered, and end this process."""
    code = 1
    try:
        code = _work(order, lifeline)
    except BaseException:
        logging.getLogger("postroom.worker").exception("a worker process could not go on")
    logging.shutdown()
    # Not sys.exit: threads that still run a job would hold the process, and the job is another's by now.
    sys.stdout.flush()
    os._exit(code)


def _work(order: dict[str, Any], lifeline: int) -> int:
    orders = Orders(**{**order["orders"], "queues": tuple(order["orders"]["queues"])})
    log_plainly(orders.verbose, orders.log_json, LINE)
    app = load(orders.target)
    try:
        return _run(app, orders, order, lifeline)
    finally:
        app.observers.flush(FLUSH)  # nobody else will: this process ends without Python's own end


def _run(app: Postroom, orders: Orders, order: dict[str, Any], lifeline: int) -> int:
    warm = fork_warm(orders.target, order["process"])  # before there are threads
    hold(lifeline)
    # The thread that speaks to the server must not wait 5 ms for its turn while short jobs run: the server would idle.
    sys.setswitchinterval(0.0005)
    stack = os.fdopen(order["stack"], "w")
    faulthandler.enable(stack)
    faulthandler.register(signal.SIGTTIN, all_threads=True)
    board = Board(orders.slots, order["board"], counts=orders.counts)
    worker = Worker(app, orders, order["process"], board, warm)
    signal.signal(signal.SIGTERM, lambda *_: worker.stop(1))
    # INT is only ever the pool's, for its second: a terminal's does not reach this process group. TERM may come both
    # from the pool and from whoever stops all processes at once: it counts once.
    signal.signal(signal.SIGINT, lambda *_: worker.stop(2))
    signal.signal(signal.SIGTSTP, lambda *_: worker.quiet())
    code = worker.run()
    board.end()
    return code


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
