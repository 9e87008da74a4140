"""The canary: a redrive in stages, which goes no further when what was to be repaired still kills."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from postroom.jobs import calls
from postroom.jobs.broker import Broker

_FIELDS = ("status", "p:fingerprint", "p:reason")
_ENDED = {None, "finished", "failed", "canceled", "stopped"}
FIRST_LOOK, LAST_LOOK = 0.1, 1.0
"""Seconds between two looks: ever more."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why a redrive went no further: job `id` died again as before, or had not ended in time."""

    id: str
    died: bool
    fingerprint: str
    """Of its death; '' where that is not known."""
    reason: str
    """Of its death; otherwise its status."""


@dataclass(frozen=True, slots=True)
class Canary:
    """Redrive so many first, and after each stage wait until they have ended."""

    stages: tuple[int, ...] = (1, 10)
    wait: float = 600.0
    """The most seconds for a stage."""
    told: Callable[[int, int], None] = lambda ended, of: None
    """Hears how many of a stage have ended."""

    def watch(self, broker: Broker, before: Mapping[str, str]) -> Stopped | None:
        """Wait until these jobs have ended. Stopped where one of them died as before, or is late.

        Args:
            before: what each died of, as a fingerprint. Two that are not known are taken to be the same.
        """
        end, pause = time.monotonic() + self.wait, FIRST_LOOK
        open_jobs = dict(before)
        while True:
            found = broker.run_many([calls.read(broker.keys, job_id, *_FIELDS) for job_id in open_jobs])
            late = ""
            for job_id, fields in zip(list(open_jobs), found, strict=True):
                status, fingerprint, reason = (_text(fields[name]) for name in _FIELDS)
                if status == "failed" and (fingerprint or "") == before[job_id]:
                    return Stopped(job_id, True, fingerprint or "", reason or "")
                if status in _ENDED:
                    del open_jobs[job_id]
                else:
                    late = status or ""
            self.told(len(before) - len(open_jobs), len(before))
            if not open_jobs:
                return None
            if time.monotonic() > end:
                return Stopped(next(iter(open_jobs)), False, "", late)
            time.sleep(pause)
            pause = min(2 * pause, LAST_LOOK)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")
