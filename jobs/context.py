"""What a handler may know of the job it runs: `current_job`."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Run:
    """One execution of one job."""

    id: str
    queue: str
    task: str
    attempt: int
    """1 for the first; redeliveries after a lost worker are not counted."""
    fence: int
    """Rises with every claim of the job: give it to a store that refuses writes with a lower one."""

    @property
    def idempotency_key(self) -> str:
        """The same for every execution of this job: give it to an API that accepts one effect per key."""
        return self.id


current: ContextVar[Run] = ContextVar("postroom_current_job")


class CurrentJob:
    """The job that the calling handler runs, with the fields of `Run`."""

    def __getattr__(self, name: str) -> object:
        run = current.get(None)
        if run is None:
            raise RuntimeError(f"current_job.{name}: no job runs here; current_job is for the inside of a handler")
        return getattr(run, name)

    def __bool__(self) -> bool:
        """True inside a handler."""
        return current.get(None) is not None


current_job = CurrentJob()
