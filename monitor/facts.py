"""The facts that explain a job or a queue: a snapshot of what the server knows, with all times as seconds from now."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """One live worker, ours or RQ's own."""

    name: str
    kind: Literal["postroom", "rq"] = "postroom"
    announced: bool = True
    """It has said what it takes."""
    host: str = ""
    pid: int = 0
    code: str = ""
    """Version of the code that it runs."""
    queues: tuple[str, ...] = ()
    threads: int = 1
    tasks: str = ""
    """Digest of the names of the tasks that it knows; '' where it does not say, as RQ's do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFacts:
    """One queue."""

    name: str
    paused: bool = False
    waiting: int = 0
    oldest: float | None = None
    """Seconds since the job at its head was enqueued."""
    running: int = 0
    """Jobs in workers' hands."""
    deferred: int = 0
    """Jobs that wait for their key, or for other jobs."""
    alive: tuple[WorkerFacts, ...] = ()
    """All live workers, whatever they take."""
    unwatched: float | None = None
    """Seconds since somebody last did the duties (promote, recover); None: never."""

    @property
    def workers(self) -> list[WorkerFacts]:
        """The live workers that take it."""
        return [worker for worker in self.alive if self.name in worker.queues]

    @property
    def taken(self) -> list[str]:
        """The queues that live workers take."""
        return sorted({queue for worker in self.alive for queue in worker.queues})

    @property
    def places(self) -> int:
        """Threads of the workers that take it. They may take other queues, too."""
        return sum(worker.threads for worker in self.workers)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureFacts:
    """The newest failed execution of a job."""

    attempt: int
    error: str
    worker: str = ""
    how: str = ""
    """How its process died, where it did: `signal 11 (SIGSEGV)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitsFor:
    """A job that another one waits for."""

    id: str
    status: str
    worker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFacts:
    """Where a job waits for its key."""

    key: str
    before: int
    """Jobs before it in the line of its key, the one that holds it among them."""
    holder: WaitsFor
    """The job that holds the key; without a status where it is gone."""
    held: float | None = None
    """Seconds since that one's turn came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFacts:
    """A job that waits for a place in a limit."""

    name: str
    """In words: `of task shop.mail (customer-7)`."""
    concurrency: int
    """Places; 0: any number."""
    interval: float
    """Seconds between two jobs; 0: none."""
    taken: int
    oldest: str
    """Who has a place for the longest; '': nobody."""
    held: float | None
    """Seconds since it got it."""
    before: int
    """Jobs before it in line."""
    opens: float
    """Seconds until the next may begin, by the rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """One job. What does not apply to its status, or is not known, is None or empty."""

    id: str
    status: str
    """As its hash says. Besides: `expired`; `missing`, `deleted` and `dropped` (ended and not kept), both for a minute
    only; `foreign`: no hash stands in its place."""
    queue: QueueFacts | None = None
    task: str = ""
    attempts: int = 0
    """Attempts made."""
    deaths: int = 0
    """Processes that died while they ran it."""
    redelivered: int = 0
    failure: FailureFacts | None = None

    knows_task: bool | None = None
    """Does a live worker that takes its queue know its task? None: not known."""
    ahead: int | None = None
    """Jobs ahead of it on the list; None: it was not found there."""
    searched: int = 0
    """How many ids of the list were looked at for it, from either end."""
    pace: float = 0.0
    """Jobs of its queue a second, as far as they can be counted; 0: none were seen."""

    due: float | None = None
    """Seconds until it is due; negative: overdue."""
    deadline: float | None = None
    """Seconds until its deadline; negative: it has passed. None: it has none."""
    waits_for: tuple[WaitsFor, ...] = field(default=())
    """The jobs that it waits for and that have not ended as it needs it."""

    line: LineFacts | None = None
    """Where it waits for its key."""
    limit: LimitFacts | None = None
    """Where it waits for a place in a limit."""
    lock: str = ""
    """The lock that it holds: no second job of it is made."""

    worker: str = ""
    worker_kind: Literal["postroom", "rq", ""] = ""
    """'': no worker of this name is known."""
    lease: float | None = None
    """Seconds until its worker's lease ends; negative: it has ended."""
    runs_for: float | None = None
    """Seconds since it began; None: not known to have begun."""

    ended: float | None = None
    """Seconds since it ended."""
    took: float | None = None
    """Seconds that its last execution took."""
    kept: float | None = None
    """Seconds until it is forgotten; None: never."""
    purged: bool = False
    """It failed, and is kept for a while though it stands among the dead letters no more."""
    reason: str = ""
    cause: str = ""
    waits: str = ""
    """What the last worker that had it declined it for: `task …`, `message … of version …`."""
    declined: bool = False
    """It stands among the jobs that no live worker could run."""
