"""Which files the demo takes, and how their names travel."""

import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

SKIPPED = frozenset({"__pycache__"})
_PLAIN = " !\"#$&'()*+,/:;<=>?@[\\]^`{|}~"  # beside letters, digits and _ . -


class SourceFiles:
    """The Python files under `folder`, in order of their names; read from the disk anew each time it is iterated.

    Args:
        folder: links to folders in it are not followed, so that no loop and no file twice.
        skip: names of folders that are left out.
    """

    def __init__(self, folder: Path, skip: frozenset[str] = SKIPPED) -> None:
        self.folder = folder
        self.unreadable: list[OSError] = []
        self._skip = skip

    @classmethod
    def of_the_standard_library(cls) -> "SourceFiles":
        """Those of the running Python, without what was installed beside them."""
        return cls(Path(sysconfig.get_path("stdlib")), SKIPPED | {"site-packages"})

    def __iter__(self) -> Iterator[str]:
        self.unreadable = []
        for at, folders, names in os.walk(self.folder, onerror=self._note):
            folders[:] = sorted(set(folders) - self._skip)
            yield from (os.path.join(at, name) for name in sorted(names) if name.endswith(".py"))

    def _note(self, error: OSError) -> None:
        self.unreadable.append(error)


def to_text(path: str) -> str:
    """A path as an argument of a job. A file's name is bytes, JSON is text: what is not ASCII is written as %XX."""
    return quote_from_bytes(os.fsencode(path), safe=_PLAIN)


def from_text(text: str) -> str:
    """The path of `to_text`."""
    return os.fsdecode(unquote_to_bytes(text))
