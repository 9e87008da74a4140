"""`postroom demo` as a newcomer runs it: real files, real workers, and every job accounted for."""

import ast
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from postroom import Postroom
from postroom.demo.crew import REPLACEMENTS, WORKERS
from postroom.demo.files import SourceFiles, from_text, to_text
from postroom.demo.ledger import Ledger
from postroom.demo.run import TASK
from postroom.embedded import EmbeddedServer
from tests.servers import Server

POSTROOM = str(Path(sys.executable).parent / "postroom")
GOOD = b"""\
import os, sys
class Shop:
    async def open(self):
        from pathlib import Path
        def inner(): ...
"""


@pytest.fixture
def environ(server: Server, client: redis.Redis, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The session's emptied server, a place for logs, and nothing of the settings around."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("POSTROOM_", "REDIS_", "RQ_"))}
    logs = tmp_path_factory.mktemp("logs")
    return {**clean, "POSTROOM_REDIS_URL": server.url, "TMPDIR": str(logs), "COLUMNS": "80"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with what a disk may hold: 5 files that parse, 9 that do not, and some that are none of our business."""
    folder = tmp_path / "code"
    package = folder / "shop"
    (package / "loop").mkdir(parents=True)
    files = {
        b"good.py": GOOD,
        b"empty.py": b"",
        b"crlf.py": b"a = 1\r\nb = 2\r\n",
        b"old.py": b'pattern = "\\d"\n',  # Python warns of it
        b"broken.py": b"def f(:\n",
        b"latin.py": b'name = "\xff"\n',
        b"null.py": b"a = 1\0\n",
        b"coding.py": b"# coding: no-such-coding\n",
        b"deep.py": b"(" * 500 + b")" * 500,
        b"\xff\x1b[31m\n.py": b"def f(:\n",  # a name that is not text, and would colour the terminal
        b"large.py": b"#" * 6_000_000,
        b"notes.txt": b"not Python",
    }
    for name, content in files.items():
        Path(os.fsdecode(os.fsencode(package) + b"/" + name)).write_bytes(content)
    (folder / "top é 50%.py").write_text("x = 1\n")
    (package / "self.py").symlink_to("self.py")
    (package / "loop" / "up").symlink_to("..")
    os.mkfifo(package / "pipe.py")
    (package / "folder.py").mkdir()
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "cached.py").write_text("x = 1\n")
    return folder


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A folder of 300 files that take a worker some 10 ms each."""
    folder = tmp_path / "slow"
    folder.mkdir()
    for number in range(300):
        (folder / f"module{number}.py").write_text("def f(a, b=[1, 2]): return {a: b[0] + 1}\n" * 400)
    return folder


def demo(environ: dict[str, str], *words: str | Path, **options: Any) -> "subprocess.Popen[str]":
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([POSTROOM, "demo", *map(str, words)], env=environ, text=True, **{**pipes, **options})


def run(environ: dict[str, str], *words: str | Path, **options: Any) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    process = demo(environ, *words, **options)
    out, err = process.communicate(timeout=100)
    return process.returncode, out, err


def numbers(out: str) -> dict[str, Any]:
    """The last line, with its sums checked."""
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    assert list(found) == ["jobs", "finished", "dead", "lost", "seconds"]
    assert found["jobs"] == found["finished"] + found["dead"] + found["lost"]
    assert found["seconds"] > 0
    return found


def until(what: Callable[[], Any], seconds: float = 20) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.005)
    raise AssertionError("it did not come to pass")


def children(pid: int) -> list[int]:
    """The processes that `pid` started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def lives(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def held(client: Any, pid: int) -> int:
    """How many jobs the worker process `pid` holds."""
    keys = list(client.scan_iter(f"postroom:held:*-{pid}-*"))
    return sum(not name.startswith(b"@") for key in keys for name in client.hkeys(key))


def stopped_with_jobs(client: Any, pid: int) -> bool:
    """Stop a worker if it holds jobs, and see that it still does."""
    if not held(client, pid):
        return False
    os.kill(pid, signal.SIGSTOP)
    time.sleep(0.05)  # what it was sending arrives
    if held(client, pid):
        return True
    os.kill(pid, signal.SIGCONT)
    return False


def test_every_kind_of_file_is_accounted_for(environ: dict[str, str], tree: Path) -> None:
    code, out, err = run(environ, tree, "--json")
    assert (code, err) == (0, "")
    assert out.count("\n") == 1
    found = numbers(out)
    assert (found["jobs"], found["finished"], found["dead"], found["lost"]) == (14, 5, 9, 0)


def test_it_shows_the_packages_and_the_dead_letters_with_their_reasons(environ: dict[str, str], tree: Path) -> None:
    code, out, err = run(environ, tree)
    assert (code, err) == (0, "")
    assert re.search(r"^14 jobs in [\d.]+ s: 5 finished, 9 dead letters, 0 lost$", out, re.MULTILINE)
    assert re.search(r"^shop +4 +8 +2 +1 +2 *$", out, re.MULTILINE)
    assert re.search(r"^\(top level\) +1 +1 +0 +0 +0 *$", out, re.MULTILINE)
    assert re.search(r"^all 2 packages +5 +9 +2 +1 +2 *$", out, re.MULTILINE)
    for file, reason in {
        "broken.py": "SyntaxError: invalid syntax",
        "latin.py": r"SyntaxError: \(unicode error\) 'utf-8' codec",
        "null.py": "(SyntaxError|ValueError): source code string cannot contain null",
        "coding.py": "SyntaxError: unknown encoding: no-such-coding",
        "deep.py": "SyntaxError: too many nested parentheses",
        "large.py": "ValueError: 6,000,000 bytes; the demo parses",
        "self.py": r"OSError: \[Errno 40\] Too many levels",
        "pipe.py": "ValueError: not a regular file",
    }.items():
        assert re.search(rf"^shop/{file} +{reason}", out, re.MULTILINE), file
    assert r"shop/\udcff\x1b[31m\n.py" in out
    assert "demo DIR" in out
    assert 'info --url "$POSTROOM_REDIS_URL"' in out
    assert "server stop" not in out  # it is not the demo's server


def test_without_a_terminal_it_writes_no_control_characters(environ: dict[str, str], tree: Path) -> None:
    for encoding in ("utf-8", "ascii"):
        _, out, _ = run({**environ, "PYTHONIOENCODING": encoding}, tree)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", out)
        assert all(len(line) <= 80 for line in out.partition("What to type next")[0].splitlines()[4:])


def test_on_a_terminal_it_shows_a_bar(environ: dict[str, str], tree: Path) -> None:
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    process = demo({**environ, "TERM": "xterm"}, tree, "--json", stderr=terminal)
    os.close(terminal)
    shown = b""
    with open(master, "rb", buffering=0) as screen:
        try:
            while piece := screen.read(10_000):
                shown += piece
        except OSError:  # how Linux says that nobody has the terminal any more
            pass
    out, _ = process.communicate()
    assert numbers(out)["dead"] == 9
    text = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", shown).decode()
    assert "━" in text
    assert "14 of 14 files 9 dead letters" in text


def test_more_files_than_one_look_takes(environ: dict[str, str], tmp_path: Path) -> None:
    for number in range(1_201):
        (tmp_path / f"m{number}.py").write_text("import os\n")
    code, out, err = run(environ, tmp_path)
    assert (code, err) == (0, "")
    assert "1,201 jobs in" in out
    assert re.search(r"^all 1 package +1,201 +1,201 +0 +0 +1,201 *$", out, re.MULTILINE)


def test_a_killed_worker_costs_no_job(environ: dict[str, str], slow: Path, client: Any) -> None:
    process = demo({**environ, "POSTROOM_LEASE": "3"}, slow, "--json")
    victim = until(lambda: next((pid for pid in children(process.pid) if stopped_with_jobs(client, pid)), None))
    assert 0 < client.zcard(f"rq:finished:demo-{process.pid}") + held(client, victim) < 300
    os.kill(victim, signal.SIGKILL)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0
    assert numbers(out) == {"jobs": 300, "finished": 300, "dead": 0, "lost": 0, "seconds": numbers(out)["seconds"]}
    assert f"Worker {victim} was ended by SIGKILL" in err
    assert any(client.hexists(key, "p:redelivered") for key in client.scan_iter("rq:job:*"))


def test_when_no_worker_is_left_the_open_jobs_are_counted_as_lost(environ: dict[str, str], slow: Path) -> None:
    process = demo(environ, slow, "--json")
    killed: set[int] = set()
    while len(killed) < WORKERS + REPLACEMENTS:
        victim = until(lambda: next((pid for pid in children(process.pid) if pid not in killed), None))
        os.kill(victim, signal.SIGKILL)
        killed.add(victim)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 1
    assert numbers(out)["lost"] > 0
    assert "No worker is left" in err
    assert "are given up as lost" in err


def test_a_job_that_somebody_deletes_is_lost(app: Postroom) -> None:
    ledger = Ledger(app.broker, "/code")
    for job_id in app.using(TASK, queue="demo-1").enqueue_many([("/code/a.py",), ("/code/b.py",), ("/code/c.py",)]):
        ledger.enter(job_id)
    first = next(iter(ledger._open))
    app.job(first).delete()
    assert ledger.look() == 1
    assert (ledger.jobs, ledger.lost, ledger.open) == (3, 1, 2)
    assert ledger.cancel() == 2
    assert ledger.open == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_cancels_its_jobs_and_ends_its_workers(
    environ: dict[str, str], slow: Path, client: Any, number: int
) -> None:
    process = demo(environ, slow, "--json")
    until(lambda: client.zcard(f"rq:finished:demo-{process.pid}"))
    workers = children(process.pid)
    process.send_signal(number)
    out, err = process.communicate(timeout=100)
    assert (process.returncode, out) == (130, "")
    assert re.fullmatch(r"Interrupted: \d+ jobs had not ended, now canceled.\n", err)
    assert len(workers) == WORKERS
    assert not any(lives(pid) for pid in workers)
    states = {client.hget(key, "status") for key in client.scan_iter("rq:job:*")}
    assert states == {b"finished", b"canceled"}


def test_killed_it_leaves_no_worker_behind(environ: dict[str, str], slow: Path, client: Any) -> None:
    process = demo(environ, slow, "--json")
    until(lambda: client.zcard(f"rq:finished:demo-{process.pid}"))
    workers = children(process.pid)
    process.kill()
    process.communicate(timeout=100)
    assert len(workers) == WORKERS
    until(lambda: not any(lives(pid) for pid in workers))


def test_a_folder_without_python_files_is_refused_with_a_sentence(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder, sentence in {
        "none": "does not exist",
        "file": "is a file",
        ".": r"no Python file \(\*\.py\) under",
    }.items():
        code, out, err = run(environ, folder, cwd=tmp_path)
        assert (code, out) == (2, "")
        assert re.search(sentence, err)
        assert "Traceback" not in err


def test_a_server_that_is_not_there_is_named_within_five_seconds(environ: dict[str, str], tree: Path) -> None:
    began = time.monotonic()
    code, out, err = run(environ, tree, "--url", "redis://:geheim@127.0.0.1:1/0")
    assert (code, out) == (3, "")
    assert time.monotonic() - began < 5
    assert "redis://:***@127.0.0.1:1/0 was not reached" in err
    assert "geheim" not in err


@pytest.fixture
def newcomer(environ: dict[str, str], tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment that names no server for Postroom; the demo's own is stopped in the end."""
    cache = tmp_path / "cache"
    named = {**environ, "XDG_CACHE_HOME": str(cache), "REDIS_URL": "redis://127.0.0.1:1/0"}
    del named["POSTROOM_REDIS_URL"]
    yield named
    own = EmbeddedServer(cache / "postroom" / "demo")
    own.stop()
    Path(own._socket()).unlink(missing_ok=True)


def test_it_has_a_server_of_its_own_and_leaves_the_folder_as_it_was(
    newcomer: dict[str, str], tree: Path, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    for module in ("ast", "redis", "click", "postroom"):
        (here / f"{module}.py").write_text("raise SystemExit('the wrong module')\n")
    before = sorted(here.iterdir())

    code, out, err = run(newcomer, tree, cwd=here)
    assert (code, err) == (0, "")
    assert sorted(here.iterdir()) == before
    own = EmbeddedServer(Path(newcomer["XDG_CACHE_HOME"]) / "postroom" / "demo")
    assert f"server stop --project {own.project}" in out
    status = own.status()
    assert status.running
    assert f"info --url {status.url}" in out

    # What it says to type next, typed.
    hints = [line.split() for line in out.partition("What to type next")[2].splitlines() if "/" in line]
    rq = next(words for words in hints if words[0].endswith("rq"))
    shown = subprocess.run(rq, env=newcomer, capture_output=True, text=True, check=True, cwd=here)
    assert re.search(r"demo-\d+ .*5 finished, 9 failed", shown.stdout)
    stop = next(words for words in hints if "stop" in words)
    subprocess.run(stop, env=newcomer, check=True, capture_output=True, cwd=here)
    assert not own.status().running


def test_it_may_run_again_and_twice_at_once_and_forgets_past_runs(newcomer: dict[str, str], tree: Path) -> None:
    twice = [demo(newcomer, tree, "--json") for _ in range(2)]
    for process in twice:
        out, err = process.communicate(timeout=100)
        assert (process.returncode, err) == (0, "")
        assert numbers(out)["jobs"] == 14
    code, out, _ = run(newcomer, tree, "--json")
    assert (code, numbers(out)["lost"]) == (0, 0)

    status = EmbeddedServer(Path(newcomer["XDG_CACHE_HOME"]) / "postroom" / "demo").status()
    with redis.Redis.from_url(str(status.url)) as own:
        found: Any = own.smembers("rq:queues")
        assert len(found) == 1
        (queue,) = found
        name = queue.decode().rpartition(":")[2]
        assert (own.zcard(f"rq:finished:{name}"), own.zcard(f"rq:failed:{name}")) == (5, 9)


def test_the_standard_library_is_what_it_takes_by_default() -> None:
    found = list(SourceFiles.of_the_standard_library())
    assert len(found) > 400
    assert ast.__file__ in found
    assert not any("site-packages" in file or "__pycache__" in file for file in found)


def test_a_folder_that_cannot_be_read_is_noted(tmp_path: Path) -> None:
    files = SourceFiles(tmp_path / "none")
    assert list(files) == []
    assert [error.filename for error in files.unreadable] == [str(tmp_path / "none")]


@pytest.mark.parametrize("name", [b"/a b/c.py", b"/100%/%41.py", "/é/€.py".encode(), b"/\xff\xfe\n.py"])
def test_every_name_survives_the_journey(name: bytes) -> None:
    path = os.fsdecode(name)
    assert to_text(path).isascii()
    assert from_text(to_text(path)) == path
