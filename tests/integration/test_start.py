"""Starting with something wrong: the exit code and the words that help, at once."""

import shutil
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.programs import Program
from tests.servers import Server

APP = """
from postroom import Postroom
app = Postroom(include=["tasks"])
not_an_app = 3
"""
TASKS = "from app import app\n@app.task(queue='q')\ndef work(): ...\n"


@pytest.fixture
def shop(program: Program) -> Program:
    """A user's folder with an app and its tasks."""
    program.write("app.py", APP)
    program.write("tasks.py", TASKS)
    return program


def worker(shop: Program, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return shop.run("-m", "postroom", "worker", *arguments, "--burst", **environ)


def told(run: subprocess.CompletedProcess[str], code: int) -> str:
    """What it said, in one line, without a traceback."""
    assert run.returncode == code, run.stderr
    assert run.stdout == ""
    assert "Traceback" not in run.stderr
    return " ".join(run.stderr.split())


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def refused() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found: int = listening.getsockname()[1]
    return found


def test_a_server_that_is_not_there(shop: Program, refused: int) -> None:
    began = time.monotonic()
    text = told(worker(shop, "app:app", POSTROOM_REDIS_URL=f"redis://me:secret@127.0.0.1:{refused}/0"), 3)
    assert time.monotonic() - began < 5
    assert f"redis://me:***@127.0.0.1:{refused}/0 was not reached" in text
    assert "Is the server running there? The URL comes from POSTROOM_REDIS_URL, REDIS_URL or [tool.postroom]" in text
    assert "secret" not in text


def test_every_command_that_needs_the_server_says_so(shop: Program, refused: int) -> None:
    commands = (["worker", "app:app"], ["scheduler", "app:app"], ["info"])
    url = f"redis://127.0.0.1:{refused}/0"
    for started in [shop.start("-m", "postroom", *command, POSTROOM_REDIS_URL=url) for command in commands]:
        assert started.wait() == 3
        assert started.log.startswith(f"postroom: {url} was not reached")


def test_a_server_that_never_answers(shop: Program, silent: int) -> None:
    began = time.monotonic()
    text = told(worker(shop, "app:app", POSTROOM_REDIS_URL=f"redis://:secret@127.0.0.1:{silent}/0"), 3)
    assert time.monotonic() - began < 5
    assert f"redis://:***@127.0.0.1:{silent}/0 was not reached" in text
    assert "Timeout" in text


def test_addresses_that_lead_nowhere(shop: Program) -> None:
    urls = ["unix:///nowhere/redis.sock", f"unix:///tmp/{'x' * 200}.sock", "redis://no.such.host.invalid:6379"]
    starts = [shop.start("-m", "postroom", "worker", "app:app", POSTROOM_REDIS_URL=url) for url in urls]
    for url, started in zip(urls, starts, strict=True):
        assert started.wait() == 3
        assert started.log.startswith(f"postroom: {url} was not reached")


def test_a_wrong_password_and_none(shop: Program) -> None:
    with Server() as server, server.client() as client:
        client.config_set("requirepass", "right")
        url = f"unix://:wrong@{server.socket}"
        text = told(worker(shop, "app:app", POSTROOM_REDIS_URL=url), 3)
        assert "Check the user and the password in the URL" in text
        assert "wrong" not in text
        text = told(worker(shop, "app:app", POSTROOM_REDIS_URL=server.url), 3)
        assert "Check the user and the password in the URL" in text
        assert worker(shop, "app:app", POSTROOM_REDIS_URL=f"unix://:right@{server.socket}").returncode == 0


@pytest.mark.parametrize("url", ["localhost:6379", "redis://:secret@host:port/0"])
def test_a_url_that_is_none(url: str, shop: Program) -> None:
    text = told(worker(shop, "app:app", POSTROOM_REDIS_URL=url), 2)
    assert "the server's URL" in text
    assert "secret" not in text


def test_no_url(shop: Program) -> None:
    text = told(worker(shop, "app:app", POSTROOM_REDIS_URL=""), 2)
    for way_out in ("POSTROOM_REDIS_URL=redis://", "REDIS_URL", "[tool.postroom]", "POSTROOM_REDIS_URL=embedded"):
        assert way_out in text


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ("nosuch:app", "no module named 'nosuch'"),
        ("app:nosuch", "module 'app' has no 'nosuch'"),
        ("app:not_an_app", "'app:not_an_app' is of type int, not a Postroom app"),
        ("app.py", "'app.py' is not MODULE:app"),
        ("shop/app:app", "'shop/app:app' is not MODULE:app"),
        ("app:", "'app:' is not MODULE:app"),
        (".app:app", "'.app:app' is not MODULE:app"),
    ],
)
def test_a_wrong_target_is_named(target: str, named: str, shop: Program) -> None:
    assert named in told(worker(shop, target), 2)


def test_a_module_to_include_that_is_not_there(shop: Program) -> None:
    shop.write("app.py", APP.replace('"tasks"', '"tasks", "nosuch.tasks"'))
    assert "no module named 'nosuch'" in told(worker(shop, "app:app"), 2)


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("import a_library_that_is_missing", "No module named 'a_library_that_is_missing'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def broken(:", "SyntaxError: invalid syntax"),
        ("raise SystemExit('not today')", "not today"),
    ],
)
@pytest.mark.parametrize("where", ["app", "tasks"])
def test_a_module_that_fails_by_itself_shows_where(where: str, source: str, named: str, shop: Program) -> None:
    shop.write(f"{where}.py", f"{TASKS if where == 'tasks' else APP}\n{source}\n")
    run = worker(shop, "app:app")
    assert run.returncode == (1 if "SystemExit" in source else 2), run.stderr
    assert named in run.stderr
    if "SystemExit" not in source:
        assert f'{where}.py", line' in run.stderr, "its own traceback is seen"
        assert "app:app" in run.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("Postroom(lease='soon')", "lease='soon': expected float"),
        ("app.task(queue='a b')(print_it)", "queue='a b'"),
        ("app.task(lambda: None)", "not at the top of a module"),
    ],
)
def test_a_bad_declaration_is_told_with_its_place(source: str, named: str, shop: Program) -> None:
    shop.write("tasks.py", f"{TASKS}\nfrom postroom import Postroom\ndef print_it(): ...\n{source}\n")
    run = worker(shop, "app:app")
    assert run.returncode == 2
    assert named in run.stderr
    assert 'tasks.py", line' in run.stderr


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"POSTROOM_LEASE": "soon"}, "lease='soon'"),
        ({"POSTROOM_CONCURRENCY": "0"}, "concurrency='0'"),
    ],
)
def test_a_bad_setting_is_named(environ: dict[str, str], named: str, shop: Program) -> None:
    run = worker(shop, "app:app", **environ)
    assert run.returncode == 2
    assert named in run.stderr


def test_a_bad_queue_name_is_named(shop: Program) -> None:
    assert "queue='a b'" in told(worker(shop, "app:app", "a b"), 2)


def test_bad_arguments_are_told_by_the_command_itself(shop: Program) -> None:
    for arguments in (("app:app", "-c", "0"), ("app:app", "--nosuch"), ()):
        assert "Usage: " in told(worker(shop, *arguments), 2)


def test_the_command_that_is_installed_is_the_same() -> None:
    command = shutil.which("postroom", path=sysconfig.get_path("scripts"))
    assert command
    run = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("postroom, version ")
    assert Path(command).is_file()
