"""Changes of source files, as watchfiles tells of them."""

import threading
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from postroom.jobs.errors import ConfigError
from postroom.jobs.naming import import_module

TOGETHER = 200
"""Milliseconds in which changes count as one, at most: an editor writes more than one file."""
STEP = 40
"""Milliseconds without a change after which no more is waited for."""
LOOK = 200
"""Milliseconds between two looks whether to stop."""
SOURCES = (".py", ".toml", ".lua")
NOT_OURS = {"site-packages", "venv", ".venv", ".git", "__pycache__", "node_modules", ".postroom", ".tox", ".mypy_cache"}
"""Folders whose files are nobody's code, or another's."""

INSTALL = "install watchfiles to have it reload on change: pip install 'postroom[reload]'"


def can_watch() -> bool:
    """Is watchfiles installed?"""
    return find_spec("watchfiles") is not None


def is_source(path: str) -> bool:
    """Is this a file whose change may change the programs?"""
    at = Path(path)
    return at.suffix in SOURCES and NOT_OURS.isdisjoint(at.parts)


class Watch:
    """Calls `changed` with the names of source files in `folders`, in a thread, until `stop`.

    Raises:
        ConfigError: a folder does not exist.
    """

    def __init__(self, folders: Sequence[Path], changed: Callable[[list[str]], None]) -> None:
        for folder in folders:
            if not folder.is_dir():
                raise ConfigError(f"--watch {folder}: no such folder")
        self._folders, self._changed, self._stop = folders, changed, threading.Event()
        self._watchfiles = import_module("watchfiles")
        self._thread = threading.Thread(target=self._watch, name="dev-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        for found in self._watchfiles.watch(
            *self._folders,
            watch_filter=lambda _, path: is_source(path),
            debounce=TOGETHER,
            step=STEP,
            rust_timeout=LOOK,
            stop_event=self._stop,
        ):
            self._changed(sorted({path for _, path in found}))
