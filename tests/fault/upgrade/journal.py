"""What the versions of the shop write down: documents as they were sent, and as the last reader saw them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from postroom import Job
from postroom.jobs.context import current
from tests.fault.history import History
from tests.fault.upgrade import KEPT, SENT

history = History.from_environ()


def acked(job: Job[Any], version: int, number: int, document: Any) -> None:
    """A producer's order was acknowledged."""
    history.acked(job.id)
    history.note(SENT, msgspec.json.encode((version, number, document)).decode())


@contextmanager
def recorded() -> Iterator[None]:
    """Write down the start of a run and its end."""
    job = current.get()
    about = (job.id, job.fence, job.attempt)
    history.run("start", *about)
    yield
    history.run("end", *about)


def kept(number: int, document: Any) -> None:
    """The last reader saw this."""
    history.note(KEPT, msgspec.json.encode((3, number, document)).decode())
