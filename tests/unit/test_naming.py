"""Names of tasks are the same however their module was loaded: as a script, by -m, imported, or imported twice."""

import subprocess
import sys
from pathlib import Path

import pytest

from postroom import ConfigError
from postroom.jobs.naming import import_function, import_target

TASKS = """
from postroom import Postroom
app = Postroom("redis://127.0.0.1:1")

@app.task
def send(): ...

class Mailer:
    @staticmethod
    @app.task
    def send(): ...

if __name__ == "__main__":
    print(*sorted(app.tasks))
"""
SHOW = "import {0} as m; print(*sorted(m.app.tasks))"


@pytest.fixture
def project(bare: Path) -> Path:
    """`shop/` is a package with a module `tasks` and a `__main__`; `jobs.py` and `plain/tasks.py` are no package's."""
    for name in ("shop/__init__.py", "shop/eu/__init__.py"):
        (bare / name).parent.mkdir(exist_ok=True)
        (bare / name).touch()
    (bare / "plain").mkdir()
    for name in ("jobs.py", "shop/tasks.py", "shop/eu/tasks.py", "shop/__main__.py", "plain/tasks.py"):
        (bare / name).write_text(TASKS)
    return bare


def names(folder: Path, *arguments: str) -> list[str]:
    """What Python prints in `folder`."""
    run = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


@pytest.mark.parametrize(
    ("module", "script"),
    [
        ("jobs", "jobs.py"),
        ("shop.tasks", "shop/tasks.py"),
        ("shop.eu.tasks", "shop/eu/tasks.py"),
        ("shop.__main__", "shop/__main__.py"),
    ],
)
def test_a_module_names_its_tasks_alike_however_it_is_loaded(module: str, script: str, project: Path) -> None:
    expected = [f"{module}.Mailer.send", f"{module}.send"]
    assert names(project, "-c", SHOW.format(module)) == expected, "imported, as a worker does"
    assert names(project, script) == expected, "run as a file"
    assert names(project, str(project / script)) == expected, "run by its full path"
    assert names(project, "-m", module) == expected, "run by -m"


def test_a_package_that_is_run_names_its_tasks_as_its_main_module_does(project: Path) -> None:
    assert names(project, "-m", "shop") == names(project, "shop") == names(project, "-m", "shop.__main__")


def test_a_folder_that_is_no_package_is_a_part_of_the_name_where_python_says_so(project: Path) -> None:
    assert names(project, "-c", SHOW.format("plain.tasks"))[-1] == "plain.tasks.send"
    assert names(project, "-m", "plain.tasks")[-1] == "plain.tasks.send"
    assert names(project / "plain", "-c", SHOW.format("tasks"))[-1] == "tasks.send"


def test_a_module_imported_under_two_names_has_its_tasks_once(project: Path) -> None:
    script = "import sys; sys.path.append('shop'); from shop.tasks import app; print(*app.tasks)"
    assert set(names(project, "-c", f"{script}; from tasks import app; print(*app.tasks)")) == {
        "shop.tasks.send",
        "shop.tasks.Mailer.send",
    }


def test_a_script_that_is_imported_again_by_its_own_tasks(project: Path) -> None:
    (project / "main.py").write_text(
        "from postroom import Postroom\napp = Postroom('redis://127.0.0.1:1')\n"
        "import more\nif __name__ == '__main__': print(*sorted({**app.tasks, **more.app.tasks}))\n"
    )
    (project / "more.py").write_text("from main import app\n@app.task\ndef send(): ...\n")
    assert names(project, "main.py") == ["more.send"]


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("nosuch:app", "no module named 'nosuch'"),
        ("shop.nosuch:app", "no module named 'shop.nosuch'"),
        ("jobs.inner:app", "no module named 'jobs.inner'"),
        ("jobs:other", "module 'jobs' has no 'other'"),
        ("jobs:app.other", "module 'jobs' has no 'app.other'"),
        ("shop", "module 'shop' has no 'app'"),
        ("", "is not MODULE:app"),
        (":app", "is not MODULE:app"),
        (".tasks:app", "is not MODULE:app"),
        ("shop..tasks:app", "is not MODULE:app"),
        ("jobs.py", "is not MODULE:app"),
        ("shop/tasks.py:app", "is not MODULE:app"),
        ("jobs:app:x", "is not MODULE:app"),
        ("jobs:", "is not MODULE:app"),
        ("jobs :app", "is not MODULE:app"),
    ],
)
def test_a_wrong_target_is_told(target: str, told: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(project), *sys.path])
    for module in ("jobs", "shop"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(ConfigError, match=told):
        import_target(target)


def test_what_a_module_itself_raises_is_seen(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(project), *sys.path])
    (project / "broken.py").write_text("import a_library_that_is_missing\n")
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_missing"):
        import_target("broken:app")
    (project / "failing.py").write_text("1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        import_function("failing.send")
