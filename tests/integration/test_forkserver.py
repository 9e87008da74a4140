"""The fork server: worker processes come from it, do without it when they must, and the pool sees every child off."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from postroom import Postroom
from tests.integration.programs import Process, Program, children, until

JOBS = """
import os, subprocess, threading, time
from postroom import Postroom

app = Postroom()

@app.task(queue="q")
def pid(seconds=0.0):
    time.sleep(seconds)
    return os.getpid()

@app.task(queue="q")
def orphan():
    # Its child ends at once and leaves a grandchild, which nobody here waits for.
    subprocess.run(["sh", "-c", "setsid sleep 0.2 & echo"], stdout=subprocess.DEVNULL)
"""
THREADS = "threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()\n"


@pytest.fixture
def shop(program: Program) -> Program:
    """A user's folder with tasks."""
    program.write("jobs.py", JOBS)
    return program


def fork_server(worker: Process) -> int:
    """The pool's fork server, once there is one that has its name."""

    def named() -> list[int]:
        tasks = Path(f"/proc/{worker.pid}/task").iterdir()
        pids = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
        return list(set(pids) - set(children(worker.pid)))

    (found,) = until(named)
    return int(found)


def zombies(pid: int) -> list[int]:
    """The children of `pid` that have ended and wait to be seen off."""
    return [child for child in children(pid) if "\nState:\tZ" in Path(f"/proc/{child}/status").read_text()]


def name(pid: int) -> str:
    """What `ps -o comm` shows."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


def stop(worker: Process) -> None:
    """TERM; it must end cleanly."""
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0, worker.log


def test_a_worker_process_is_forked_and_is_the_pools_child(shop: Program, app: Postroom) -> None:
    worker = shop.worker("jobs:app")
    (child,) = children(worker.pid)
    assert name(child) == "postroom-worker"
    assert app.enqueue("jobs.pid", queue="q").result(20) == child
    # When it is killed, the pool sees how it died, and forks another
    os.kill(child, signal.SIGKILL)
    worker.says("died by signal 9 (SIGKILL)")
    second = app.enqueue("jobs.pid", queue="q").result(20)
    assert second != child
    assert [(pid, name(pid)) for pid in children(worker.pid)] == [(second, "postroom-worker")]
    assert worker.log.count("died by") == 1
    stop(worker)


def test_without_its_fork_server_a_pool_spawns_and_starts_another(shop: Program, app: Postroom) -> None:
    worker = shop.worker("jobs:app")
    first = fork_server(worker)
    (child,) = children(worker.pid)
    os.kill(first, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    worker.says("the fork server died, another is started")
    assert app.enqueue("jobs.pid", queue="q").result(20) in children(worker.pid)
    # And the next one is forked again
    until(lambda: name(fork_server(worker)) == "postroom-forks")
    (spawned,) = children(worker.pid)
    assert name(spawned) != "postroom-worker"

    def forked() -> bool:
        pids = children(worker.pid)
        if [name(pid) for pid in pids] == ["postroom-worker"]:
            return True
        for pid in pids:  # as long as the fork server is not ready, another is spawned
            os.kill(pid, signal.SIGKILL)
            time.sleep(1)
        return False

    until(forked, 30)
    assert app.enqueue("jobs.pid", queue="q").result(20) in children(worker.pid)
    stop(worker)


def test_an_app_that_starts_threads_when_it_is_imported_is_never_forked(shop: Program, app: Postroom) -> None:
    shop.write("jobs.py", JOBS + THREADS)
    worker = shop.worker("jobs:app")
    worker.says("importing the app starts threads: worker processes are spawned, not forked")
    (child,) = children(worker.pid)
    assert name(child) != "postroom-worker"
    assert app.enqueue("jobs.pid", queue="q").result(20) == child
    stop(worker)


def test_orphans_of_handlers_are_seen_off(shop: Program, app: Postroom) -> None:
    worker = shop.worker("jobs:app")
    for _ in range(3):
        app.enqueue("jobs.orphan", queue="q").result(20)
    until(lambda: len(children(worker.pid)) == 1)
    assert not zombies(worker.pid)
    stop(worker)


def test_a_pool_is_the_first_process_of_a_container(shop: Program, app: Postroom) -> None:
    unshare = shutil.which("unshare")
    tried = unshare and subprocess.run([unshare, "--pid", "--fork", "true"], capture_output=True, check=False)
    if not tried or tried.returncode:
        pytest.skip("no PID namespace can be made here (unshare --pid --fork)")
    script = "import os, sys; os.execvp('unshare', ['unshare', '--pid', '--fork', '--mount-proc', *sys.argv[1:]])"
    outer = shop.start("-c", script, sys.executable, "-m", "postroom", "worker", "jobs:app")
    outer.says(" takes ")
    (pool,) = children(outer.pid)
    for _ in range(3):
        app.enqueue("jobs.orphan", queue="q").result(20)
    until(lambda: len(children(pool)) == 1)
    os.kill(pool, signal.SIGTERM)
    assert outer.wait() == 0, outer.log
