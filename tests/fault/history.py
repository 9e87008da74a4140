"""The history of a case, kept outside Redis: lines in files, each on the disk before its writer goes on."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

FOLDER = "FAULT_FOLDER"
"""The variable that tells a process where the history of its case is kept."""
SKEW = "FAULT_SKEW"
"""The variable that tells a process by how many seconds its clock is wrong; the history's is right all the same."""
PLACES = 3
"""Of the limit of `crowded`: so many of a key run at once."""
BOUNDS = "bounds"
"""The notes of jobs with a deadline: a line for each that began."""

_END = ";"


@dataclass(frozen=True, slots=True)
class Run:
    """One line of a handler: it started, ended, or failed (raised)."""

    what: str
    job_id: str
    token: int
    attempt: int
    pid: int
    parent: int
    """The process that started this one: what strikes it strikes both."""
    at: float


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a handler of a job with a key: it started, ended, or failed."""

    what: str
    key: str
    number: int
    """Which job of its key it is, in order of enqueue; the first is 0."""
    job_id: str
    pid: int
    parent: int
    """As of a run."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that was broken: `pid` 0 is the server, or everybody's connection to it."""

    what: str
    pid: int
    at: float


@dataclass(frozen=True, slots=True)
class Event:
    """One transition of one job, as it was published."""

    what: str
    job_id: str
    at: float


class History:
    """Written by any number of processes at once: a line is one write at the end of a file.

    A process that is killed as it writes may leave a part of its line, for a file system may end a write at the end of
    a page (ext4 does). So a line says where it begins and where it ends, and a part of one was not written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, int] = {}

    @classmethod
    def from_environ(cls) -> Self:
        """The history of the case that this process belongs to."""
        return cls(Path(os.environ[FOLDER]))

    # Writing -------------------------------------------------------------------------------------------------------

    def acked(self, *job_ids: str) -> None:
        """These were acknowledged to their producer."""
        self._write("acked", *(f"{job_id} {_now():.6f}" for job_id in job_ids))

    def run(self, what: str, job_id: str, token: int, attempt: int) -> None:
        """A handler of this process started, ended or failed."""
        self._write("runs", f"{what} {job_id} {token} {attempt} {os.getpid()} {os.getppid()} {_now():.6f}")

    def fault(self, what: str, pid: int = 0, at: float | None = None) -> None:
        """Something is broken now, or mended. Written before it is done, so that no effect is older than its cause.

        Args:
            at: when it was, where it is only learnt of later.
        """
        self._write("faults", f"{what} {pid} {_now() if at is None else at:.6f}")

    def faults(self, what: str, pids: Sequence[int], *, sync: bool = True) -> None:
        """`fault` of several processes at once.

        Args:
            sync: False: do not wait for the disk, for between the line and the stroke nothing may begin.
        """
        self._write("faults", *(f"{what} {pid} {_now():.6f}" for pid in pids), sync=sync)

    def overdue(self, job_id: str, token: int) -> None:
        """The process that runs this job is killed for it, which is a failed attempt: its handler cannot say so."""
        self._write("overdue", f"{job_id} {token}")

    def order(self, what: str, key: str, number: int, job_id: str) -> None:
        """A handler of this process started, ended or failed with the job of this key that was enqueued as `number`."""
        self._write("order", f"{what} {key} {number} {job_id} {os.getpid()} {os.getppid()}")

    def event(self, what: str, job_ids: list[str]) -> None:
        """A transition was heard of."""
        self._write("events", *(f"{what} {job_id} {_now():.6f}" for job_id in job_ids))

    def note(self, name: str, text: str) -> None:
        """A line of a case's own."""
        self._write(name, text)

    def _write(self, name: str, *lines: str, sync: bool = True) -> None:
        if not lines:
            return
        if name not in self._files:
            self._files[name] = os.open(self.folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(self._files[name], "".join(f"\n{line}{_END}" for line in lines).encode())
        if sync:
            os.fdatasync(self._files[name])

    # Reading -------------------------------------------------------------------------------------------------------

    def all_acked(self) -> list[str]:
        """What was acknowledged, in that order."""
        return [words[0] for words in self._lines("acked")]

    def all_runs(self) -> list[Run]:
        """What handlers did, in that order."""
        return [Run(w[0], w[1], int(w[2]), int(w[3]), int(w[4]), int(w[5]), float(w[6])) for w in self._lines("runs")]

    def all_steps(self) -> list[Step]:
        """What handlers of jobs with keys did, in that order."""
        return [Step(w[0], w[1], int(w[2]), w[3], int(w[4]), int(w[5])) for w in self._lines("order")]

    def all_faults(self) -> list[Fault]:
        """What was broken, in that order."""
        return [Fault(w[0], int(w[1]), float(w[2])) for w in self._lines("faults")]

    def all_overdue(self) -> list[tuple[str, int]]:
        """Jobs and tokens that a process was killed for."""
        return [(words[0], int(words[1])) for words in self._lines("overdue")]

    def all_events(self) -> list[Event]:
        """What was published, in that order."""
        return [Event(w[0], w[1], float(w[2])) for w in self._lines("events")]

    def notes(self, name: str) -> list[str]:
        """A case's own lines, in that order."""
        path = self.folder / name
        lines = path.read_text().split("\n") if path.exists() else []
        return [line.removesuffix(_END) for line in lines if line.endswith(_END)]

    def _lines(self, name: str) -> Iterator[list[str]]:
        for line in self.notes(name):
            yield line.split()


def _now() -> float:
    return time.time() - float(os.environ.get(SKEW, "0"))
