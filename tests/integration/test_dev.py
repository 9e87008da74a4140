"""`postroom dev`: one terminal, reload on change, nothing left behind."""

import os
import signal
import time
from pathlib import Path

import pytest

from postroom import Postroom
from tests.integration.programs import Process, Program, until

SHOP = """
from postroom import Postroom

app = Postroom()

@app.task(name="say", queue="words")
def say() -> str:
    return "{word}"

@app.task(name="rest", queue="words")
def rest() -> None:
    import time
    print("resting", flush=True)
    time.sleep(60)
"""


HIDDEN = (
    "import importlib.util as util, sys; find = util.find_spec; "
    "util.find_spec = lambda name, *more: None if name == 'watchfiles' else find(name, *more)"
)
"""As if it were not installed."""


@pytest.fixture
def program(program: Program) -> Program:
    """A folder with an app."""
    program.write("shop.py", SHOP.format(word="one"))
    return program


def started(program: Program, *more: str, **environ: str) -> Process:
    """`postroom dev`, when it takes jobs."""
    terminal = program.start("-m", "postroom", "dev", "shop:app", *more, **environ)
    terminal.says(" takes ")
    return terminal


def below(pid: int) -> set[int]:
    """All processes that this one, and those that it started, have started."""
    found, left = set(), [pid]
    while left:
        one = left.pop()
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            new = [int(word) for word in task.read_text().split()]
            found.update(new)
            left += new
    return found


def alive(pids: set[int]) -> set[int]:
    """Those that have not ended."""
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


def test_new_code_runs_within_a_second_or_so_and_what_runs_is_not_cut_off(program: Program, app: Postroom) -> None:
    terminal = started(program)
    assert app.enqueue("say", queue="words").result(timeout=20) == "one"
    long = app.enqueue("rest", queue="words")
    until(lambda: long.status() == "started")
    program.write("shop.py", SHOP.format(word="two"))
    changed = time.monotonic()
    until(lambda: app.enqueue("say", queue="words").result(timeout=20) == "two")
    print(f"new code ran after {time.monotonic() - changed:.2f} s")
    assert "dev      │ shop.py changed" in terminal.log
    assert long.status() == "started", "it ends as at a deploy"
    terminal.signal(signal.SIGINT)
    assert terminal.wait() == 0
    assert long.status() == "queued", "it was given back"


def test_code_that_cannot_be_loaded_is_shown_and_a_change_mends_it(program: Program, app: Postroom) -> None:
    program.write("shop.py", "app = 1 / 0\n")
    terminal = program.start("-m", "postroom", "dev", "shop:app")
    for name in ("worker", "scheduler"):
        terminal.says(f"{name:<9}│ waits for a change of the code")
    assert "worker   │ ZeroDivisionError: division by zero" in terminal.log
    program.write("shop.py", SHOP.format(word="mended"))
    assert app.enqueue("say", queue="words").result(timeout=20) == "mended"
    program.write("shop.py", "import nothing_of_that_name\n")
    terminal.says("ModuleNotFoundError")
    terminal.signal(signal.SIGTERM)
    assert terminal.wait() == 0


def test_what_dies_is_started_again(program: Program, app: Postroom) -> None:
    terminal = started(program)
    (pool,) = [pid for pid in below(terminal.pid) if b"\0worker\0shop:app" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(pool, signal.SIGKILL)
    terminal.says("worker   │ ended with signal 9 (SIGKILL); starts again in 0.5 s")
    assert app.enqueue("say", queue="words").result(timeout=20) == "one"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(program: Program, app: Postroom, number: signal.Signals) -> None:
    terminal = started(program)
    job = app.enqueue("rest", queue="words")
    terminal.says("worker   │ resting")
    pids = below(terminal.pid)
    assert len(pids) > 2, pids
    terminal.signal(number)
    terminal.wait(15)
    until(lambda: not alive(pids), 10)
    assert number == signal.SIGKILL or job.status() == "queued"


def test_a_server_is_there_for_as_long_as_it_lasts(program: Program, tmp_path: Path) -> None:
    program.write("pyproject.toml", "")
    terminal = started(program, POSTROOM_REDIS_URL="")
    told = next(line for line in terminal.log.splitlines() if line.startswith("server   │ Valkey"))
    app = Postroom(told.rpartition(" ")[2])
    assert app.enqueue("say", queue="words").result(timeout=20) == "one"
    app.broker.close()
    terminal.signal(signal.SIGINT)
    assert terminal.wait(20) == 0
    said = program.run("-m", "postroom", "server", "status", "--project", str(tmp_path))
    assert (said.returncode, "No server runs" in said.stdout) == (1, True)


def test_without_watchfiles_it_says_how_to_get_it_and_runs(program: Program, app: Postroom) -> None:
    run = f"{HIDDEN}; sys.argv = ['postroom', 'dev', 'shop:app']; from postroom.__main__ import main; main()"
    terminal = program.start("-c", run)
    terminal.says("pip install 'postroom[reload]'")
    assert app.enqueue("say", queue="words").result(timeout=20) == "one"
    terminal.signal(signal.SIGINT)
    assert terminal.wait(15) == 0
    program.write("shop.py", "app = None\n")
    terminal = program.start("-c", run)
    assert terminal.wait(20) == 2, "nothing could ever run"


def test_a_folder_that_does_not_exist(program: Program) -> None:
    said = program.run("-m", "postroom", "dev", "shop:app", "--watch", "nowhere")
    assert said.returncode == 2
    assert "nowhere: no such folder" in said.stderr
