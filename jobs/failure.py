"""Why jobs fail: what a dead letter's hash keeps of each execution that failed, and what stopped the job.

Kept in the job's own hash, so that whatever deletes the job (RQ's tools, too) deletes it all.
"""

import hashlib
import os
import traceback
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from types import CodeType

import msgspec

TEXT_LIMIT = 20_000
"""The most characters of one traceback, the last ones of a longer one."""
ERROR_LIMIT = 500
KEPT = 10
"""The most failed executions that are kept of one job: the first, and the newest."""


class Cause(StrEnum):
    """What stopped a job: why nothing will run it again by itself."""

    EXHAUSTED = "exhausted"
    """Its retry policy allows no further attempt."""
    NOT_RETRYABLE = "not-retryable"
    """Its retry policy does not retry such an error."""
    DISCARDED = "discarded"
    """Its handler raised Discard."""
    POISON = "poison"
    """Too many processes died while they ran it."""
    UNDECODABLE = "undecodable"
    """Its hash or its arguments cannot be read."""
    UNKNOWN_TASK = "unknown-task"
    """No task of its name is declared or allowed."""
    EXPIRED = "expired"
    """Its deadline had passed."""
    KILLED = "killed"
    """It ran past its hard deadline, its process was killed, and its policy allows no further attempt."""


class Death(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the process died that ran a job."""

    exit_code: int
    """Negative: the signal that killed it."""
    how: str
    """The same in words."""
    peak_bytes: int = 0
    """The most memory that it had."""
    oom_kills: int = 0
    """How many processes the kernel killed for memory in its cgroup while it lived."""
    stack: str = ""
    """The last Python stack that it could still write; '' where it could not."""


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    """One execution that failed. Times are seconds since the epoch."""

    attempt: int
    """Its number as the retry policy counts."""
    started: float
    ended: float
    error: str
    """In one line: `ValueError: no`."""
    fingerprint: str = ""
    traceback: str = ""
    worker: str = ""
    """The name of the worker process."""
    host: str = ""
    version: str = ""
    """Of the code that ran: `Settings.code_version`."""
    death: Death | None = None

    @property
    def stored(self) -> bytes:
        """As the job's hash keeps it; where, the scripts know (lib/history.lua)."""
        return msgspec.json.encode(self)


def failures(stored: Mapping[bytes, bytes]) -> list[Failure]:
    """The failed executions that a job's hash tells of, oldest first. What cannot be read is left out."""
    found = []
    for place in range(KEPT):
        text = stored.get(b"p:failure:%d" % place)
        if text is not None:
            try:
                found.append(msgspec.json.decode(text, type=Failure))
            except msgspec.MsgspecError:
                continue  # written by a version that this one does not know
    return sorted(found, key=lambda failure: failure.ended)


def one_line(error: BaseException, hide: Callable[[str], str] = str) -> str:
    """An error in one line, its text as `hide` lets it be seen. Never raises."""
    try:
        text = str(error)
    except Exception:
        text = "(its text cannot be told)"
    # Hidden first: cut in two, a secret would not be known.
    return sendable(f"{type(error).__name__}: {hide(text)}".rstrip(": ").replace("\n", " "))[:ERROR_LIMIT]


def sendable(text: str) -> str:
    """Texts of errors may hold what UTF-8 cannot, such as the names of files that are not UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def fingerprint(error: BaseException) -> str:
    """12 hexadecimal digits: the same for failures of one kind, whatever their texts and lines.

    Made of the error's type and the function that raised it: the innermost one of the app's own code, or, where no code
    of the app was reached, the innermost of all. Line numbers are left out, so that an edit elsewhere in the file, or a
    fix that does not help, changes nothing.
    """
    kind = type(error)
    place = _raising_place([frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)])
    return digest(f"{kind.__module__}.{kind.__qualname__}", place)


def digest(*parts: str) -> str:
    """The fingerprint of what these parts say."""
    return hashlib.blake2b("\0".join(parts).encode(errors="backslashreplace"), digest_size=6).hexdigest()


_LIBRARIES = str(Path(os.__file__).parent) + os.sep
"""The standard library, and what is installed into it."""
_OURS = str(Path(__file__).resolve().parent.parent) + os.sep


def _raising_place(codes: list[CodeType]) -> str:
    app = [code for code in codes if not _is_library(code.co_filename)]
    own = [code for code in app if not _is_ours(code.co_filename)]
    return "".join(f"{Path(code.co_filename).stem}:{code.co_qualname}" for code in (own or app or codes)[-1:])


def _is_library(filename: str) -> bool:
    return filename.startswith((_LIBRARIES, "<frozen")) or f"{os.sep}site-packages{os.sep}" in filename


def _is_ours(filename: str) -> bool:
    """Of Postroom's workers, which every traceback begins with."""
    return filename.startswith((f"{_OURS}workers{os.sep}", f"{_OURS}jobs{os.sep}"))
