"""The built wheel, installed into a clean environment beside a user's own `jobs.py`, runs a job there."""

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.integration.programs import Program

ROOT = Path(__file__).parents[2]
ROOMS = ("jobs", "workers", "scheduler", "monitor", "postroom")

# The names of our rooms are the user's, too.
JOBS = """
from postroom import Postroom, current_job
import scheduler, workers

app = Postroom()

@app.task(queue="mail")
def send_receipt(order_id: int) -> list:
    return [__name__, order_id, scheduler.WHOSE, workers.WHOSE, str(current_job.task)]

if __name__ == "__main__":
    print(send_receipt.enqueue(42).id)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as a release is: in an environment of its own, from the files of the project alone."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for room in ROOMS:
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", built, source],
        check=True,
        capture_output=True,
        timeout=100,
    )
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture
def python(wheel: Path, tmp_path: Path) -> Path:
    """A clean environment's Python with the wheel; what it depends on is lent from here."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    found = tmp_path / "venv/bin/python"
    pip = [sys.executable, "-m", "pip", "--python", str(found)]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--quiet", str(wheel)], check=True)
    (site,) = (tmp_path / "venv/lib").glob("*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib"))
    return found


def test_the_wheel_has_everything_that_runs_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    here = {path for room in ROOMS for path in (ROOT / room).rglob("*") if path.suffix in {".py", ".lua", ".typed"}}
    rooms = {path.relative_to(ROOT).as_posix() for path in here}
    assert names == {name if name.startswith("postroom/") else f"postroom/{name}" for name in rooms}


def test_a_job_runs_beside_a_users_own_jobs_module(python: Path, program: Program, client: Any) -> None:
    program.write("jobs.py", JOBS)
    program.write("workers.py", 'WHOSE = "my workers"\n')
    program.write("scheduler/__init__.py", 'WHOSE = "my scheduler"\n')

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=program.folder, env=program.environ(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    where = run(str(python), "-c", "import postroom, postroom.jobs.app as a; print(postroom.__file__, a.__file__)")
    assert all(str(python.parents[1]) in path for path in where.split()), "the wheel's, not the source tree's"
    job_id = run(str(python), "jobs.py")
    run(str(python.with_name("postroom")), "worker", "jobs:app", "--burst")
    assert client.hget(f"rq:job:{job_id}", "result") == (b'["jobs",42,"my scheduler","my workers","jobs.send_receipt"]')
    assert '"finished": 1' in run(str(python), "-m", "postroom", "info", "--json")
