"""The ledger: every job that the demo handed over, until it has ended, and the sums of what came back."""

import os
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from postroom.demo.files import from_text
from postroom.jobs import calls
from postroom.jobs.broker import Broker
from postroom.jobs.codecs import decode_call, decode_result

WINDOW = 500
"""How many jobs are asked for in one round trip."""
SHOWN = 20
"""How many dead letters are kept with their reasons; the others are only counted."""


@dataclass(slots=True)
class Sums:
    """What the files of one package have in them."""

    files: int = 0
    lines: int = 0
    functions: int = 0
    classes: int = 0
    imports: int = 0

    def add(self, other: Mapping[str, Any]) -> None:
        """Add one file's `Measure`, or the sums of a package."""
        self.files += other.get("files", 1)
        self.lines += other["lines"]
        self.functions += other["functions"]
        self.classes += other["classes"]
        self.imports += other["imports"]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A file whose job failed, and why."""

    file: str
    reason: str


class Ledger:
    """The jobs of one run.

    Each id is crossed out by itself, when its job has ended: counts of a registry could hide a lost job behind another
    run's. It is cheap all the same: jobs end about in the order in which they were handed over, so only the first
    WINDOW open ones are looked at, in one round trip, and a job's result comes with its status.

    Args:
        folder: what the files' names are shown relative to.
    """

    def __init__(self, broker: Broker, folder: str | os.PathLike[str]) -> None:
        self.jobs = self.finished = self.dead = self.lost = 0
        self.complete = False
        """No more jobs will be entered."""
        self.packages: dict[str, Sums] = defaultdict(Sums)
        self.letters: list[DeadLetter] = []
        self._broker = broker
        self._folder = os.fspath(folder)
        self._open: deque[str] = deque()

    @property
    def open(self) -> int:
        """How many jobs have not ended."""
        return len(self._open)

    @property
    def ended(self) -> int:
        """How many jobs have ended, or are lost."""
        return self.jobs - len(self._open)

    @property
    def total(self) -> Sums:
        """The sums of all packages."""
        total = Sums()
        for sums in self.packages.values():
            total.add(asdict(sums))
        return total

    def enter(self, job_id: str) -> None:
        """A job was handed over: the server has acknowledged it."""
        self.jobs += 1
        self._open.append(job_id)

    def look(self) -> int:
        """Cross out jobs that have ended; how many.

        Raises:
            Unavailable: the server was not reached. Nothing is crossed out that was not read.
        """
        ids = list(islice(self._open, WINDOW))
        fields = ("status", "result", "p:reason")
        found = self._broker.run_many([calls.read(self._broker.keys, job_id, *fields) for job_id in ids])
        dead = [job_id for job_id, job in zip(ids, found, strict=True) if job["status"] == b"failed"]
        files = dict(zip(dead, self._files_of(dead), strict=True))
        still_open = []
        for job_id, job in zip(ids, found, strict=True):
            self._open.popleft()
            match job["status"]:
                case b"finished":
                    self._finish(job["result"])
                case b"failed":
                    self._bury(files[job_id], job["p:reason"])
                case b"queued" | b"started":
                    still_open.append(job_id)
                case _:  # somebody deleted or canceled it
                    self.lost += 1
        self._open.extendleft(reversed(still_open))
        return len(ids) - len(still_open)

    def give_up(self) -> None:
        """What is open now has been waited for long enough: it is lost."""
        self.lost += len(self._open)
        self._open.clear()

    def cancel(self) -> int:
        """See that no open job runs any more; how many there were.

        Raises:
            Unavailable: the server was not reached.
        """
        canceled = 0
        while self._open:
            ids = list(islice(self._open, WINDOW))
            before = self._broker.run_many([calls.cancel(self._broker.keys, job_id) for job_id in ids])
            canceled += sum(status in {"queued", "started"} for status, _ in before)
            for _ in ids:
                self._open.popleft()
        return canceled

    def _finish(self, result: bytes | None) -> None:
        self.finished += 1
        if result:
            measure = decode_result(result)
            self.packages[os.path.dirname(self._name(measure["file"]))].add(measure)

    def _bury(self, file: str, reason: bytes | None) -> None:
        self.dead += 1
        if len(self.letters) < SHOWN:
            self.letters.append(DeadLetter(self._name(file), (reason or b"").decode(errors="replace")))

    def _files_of(self, ids: list[str]) -> list[str]:
        """The files of these jobs: what each was called with."""
        asked = [calls.read(self._broker.keys, job_id, "data", "p:type") for job_id in ids]
        return [_file(job) for job in self._broker.run_many(asked)] if asked else []

    def _name(self, text: str) -> str:
        return os.path.relpath(from_text(text), self._folder)


def _file(job: Mapping[str, bytes | None]) -> str:
    content_type = (job["p:type"] or b"").decode()
    _, args, _ = decode_call(job["data"], content_type, saved_by_rq=False, limit=1_000_000)
    return str(args[0])
