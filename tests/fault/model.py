"""The model: what docs/internals.md says that each call does, in plain Python and without a server."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LEASE = 10.0
"""Seconds, by the clock of the test."""


@dataclass(slots=True)
class ModelJob:
    """A job's hash, as far as transitions read or write it."""

    queue: str
    nonce: str
    status: str
    due: float | None = None
    token: int | None = None
    holder: str | None = None
    attempt: int = 0
    redelivered: int = 0
    deaths: int = 0
    completed: int = 0
    """How often the server accepted its completion; counted by the machine."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One job in a process's hands, or what that process still believes to be there."""

    process: str
    queue: str
    job_id: str
    token: int

    @property
    def member(self) -> str:
        """As it stands in `wip` and `held`."""
        return f"{self.job_id}:{self.token}"


@dataclass(slots=True)
class Model:
    """The whole namespace. Each method is one call, and returns what the server must reply."""

    queues: Sequence[str]
    clock: float = 1000.0
    token: int = 0
    swept: float = 0.0
    jobs: dict[str, ModelJob] = field(default_factory=dict)
    gone: dict[str, tuple[str, str]] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    wip: dict[str, set[str]] = field(default_factory=dict)
    held: dict[str, dict[str, str]] = field(default_factory=dict)
    leases: dict[str, float] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.lists = {queue: [] for queue in self.queues}
        self.wip = {queue: set() for queue in self.queues}

    # Producers and people ------------------------------------------------------------------------------------------

    def enqueue(self, job_id: str, nonce: str, queue: str, where: str, due: float | None) -> bool:
        """False: the id is another job's."""
        known = self.jobs.get(job_id)
        if known is not None:
            return known.nonce == nonce
        if job_id in self.gone and self.gone[job_id][1] == nonce:
            return True
        scheduled = where == "scheduled"
        self.jobs[job_id] = ModelJob(queue, nonce, "scheduled" if scheduled else "queued", due=due)
        if not scheduled:
            self._push(job_id, queue, front=where == "front")
        return True

    def cancel(self, job_id: str) -> str | None:
        """Its status before."""
        job = self.jobs.get(job_id)
        if job is None:
            return None
        before = job.status
        if before not in {"finished", "failed", "canceled"}:
            job.status = "canceled"
        return before

    def delete(self, job_id: str) -> bool:
        """False: there is none."""
        job = self.jobs.pop(job_id, None)
        if job is not None:
            self.gone[job_id] = ("", job.nonce)
        return job is not None

    # Workers -------------------------------------------------------------------------------------------------------

    def claim(self, process: str, queue: str, request: int, limit: int) -> list[Any]:
        """The token, then the ids."""
        held = self.held.get(process, {})
        if f"@{queue}" not in held:
            return ["GONE"]
        last, _, token = held.get(f"@{queue}", "").partition(" ")
        if int(last) > request:
            return []
        if last == str(request):
            return [int(token), *(member.split(":")[0] for member in held if member.endswith(f":{token}"))]
        if queue in self.paused:
            return ["PAUSED"]
        looked_at, self.lists[queue] = self.lists[queue][:limit], self.lists[queue][limit:]
        if not looked_at:
            return []
        self.token += 1
        taken = [i for i in dict.fromkeys(looked_at) if i in self.jobs and self.jobs[i].status == "queued"]
        for job_id in taken:
            job = self.jobs[job_id]
            job.status, job.holder, job.token = "started", process, self.token
            self.wip[queue].add(f"{job_id}:{self.token}")
        if taken:
            hand = self.held.setdefault(process, {})
            hand[f"@{queue}"] = f"{request} {self.token}"
            hand |= {f"{job_id}:{self.token}": queue for job_id in taken}
            self.leases[process] = self.clock + LEASE
        return [self.token, *taken]

    def settle(self, verb: str, claims: Sequence[Claim], *, delay: float, front: bool, kept: bool) -> list[str]:
        """OK, ALREADY or STALE for each."""
        replies = {}
        for claim in reversed(claims) if verb == "release" else claims:
            replies[claim] = self._fence(claim)
            if replies[claim] == "OK":
                self._settle_one(verb, claim, delay=delay, front=front, kept=kept)
            self._let_go(claim.process, claim.member, claim.queue)
        return [replies[claim] for claim in claims]

    def join(self, process: str, claims: Mapping[str, int]) -> None:
        """It is there, and has what its claims up to these numbers brought."""
        self.leases[process] = self.clock + LEASE
        hand = self.held.setdefault(process, {})
        for queue, last in claims.items():
            hand.setdefault(f"@{queue}", f"{last} 0")

    def renew(self, process: str) -> bool:
        """Has it a lease to renew?"""
        if process in self.leases:
            self.leases[process] = self.clock + LEASE
        return process in self.leases

    # Duties --------------------------------------------------------------------------------------------------------

    def sweep(self) -> set[str]:
        """Whose lease has ended."""
        late, self.swept = self.clock - self.swept > max(LEASE / 2, 3), self.clock
        if late:
            self.leases = {process: max(end, self.clock + LEASE) for process, end in self.leases.items()}
            return set()
        return {process for process, end in self.leases.items() if end <= self.clock}

    def recover(self, process: str, *, resigned: bool, charged: Sequence[str]) -> list[str]:
        """The ids put back."""
        if process in self.leases and self.leases[process] > (math.inf if resigned else self.clock):
            return []
        back = []
        for member, queue in reversed(self.held.pop(process, {}).items()):
            if member.startswith("@"):
                continue
            job_id, _, token = member.partition(":")
            if self._fence(Claim(process, queue, job_id, int(token))) == "OK":
                job = self.jobs[job_id]
                job.status, job.token, job.redelivered = "queued", None, job.redelivered + 1
                job.deaths += member in charged
                self._push(job_id, queue, front=True)
                back.append(job_id)
            self.wip[queue].discard(member)
        self.leases.pop(process, None)
        return back

    def promote(self, queue: str) -> int:
        """How many were due."""
        due = sorted(
            (job.due, job_id)
            for job_id, job in self.jobs.items()
            if job.status == "scheduled" and job.queue == queue and job.due is not None and job.due <= self.clock
        )
        for _, job_id in due:
            self.jobs[job_id].status = "queued"
            self._push(job_id, queue, front=False)
        return len(due)

    # Pieces --------------------------------------------------------------------------------------------------------

    def _fence(self, claim: Claim) -> str:
        job = self.jobs.get(claim.job_id)
        if job is None:
            return "ALREADY" if self.gone.get(claim.job_id, ("",))[0] == str(claim.token) else "STALE"
        if job.token != claim.token:
            return "STALE"
        if job.status == "started" and job.holder == claim.process:
            return "OK"
        return "STALE" if job.status in {"started", "canceled"} else "ALREADY"

    def _settle_one(self, verb: str, claim: Claim, *, delay: float, front: bool, kept: bool) -> None:
        job = self.jobs[claim.job_id]
        if verb == "complete":
            job.status = "finished"
            if not kept:
                self.gone[claim.job_id] = (str(claim.token), job.nonce)
                del self.jobs[claim.job_id]
        elif verb == "bury":
            job.status, job.attempt = "failed", job.attempt + 1
        elif verb == "retry" and delay:
            job.status, job.attempt, job.due = "scheduled", job.attempt + 1, self.clock + delay
        else:
            job.status, job.attempt = "queued", job.attempt + (verb == "retry")
            self._push(claim.job_id, claim.queue, front=front or verb == "release")

    def _push(self, job_id: str, queue: str, *, front: bool) -> None:
        self.lists[queue].insert(0 if front else len(self.lists[queue]), job_id)

    def _let_go(self, process: str, member: str, queue: str) -> None:
        self.wip[queue].discard(member)
        hand = self.held.get(process, {})
        hand.pop(member, None)
        if not hand:
            self.held.pop(process, None)
