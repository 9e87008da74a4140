"""Unit tests see none of this machine's settings and reach no server."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from postroom import Postroom
from postroom.jobs.settings import Settings

# The same examples every time, and no time limit that a busy machine would break.
settings.register_profile("postroom", derandomize=True, deadline=None, database=None)
settings.load_profile("postroom")


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and no variable that Postroom would read."""
    ours = (f"POSTROOM_{field.upper()}" for field in Settings.__dataclass_fields__)
    for name in ("REDIS_URL", "RQ_KEY_PREFIX", *ours):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def app_without_server() -> Callable[[], Postroom]:
    """An app whose server is never asked."""
    return lambda: Postroom("redis://127.0.0.1:1")
