"""The calls of claimed jobs: whose they are, and their arguments as the handler gets them."""

from typing import Any

from postroom.jobs.app import Postroom
from postroom.jobs.codecs import codec_of, inflate
from postroom.jobs.errors import DecodeError
from postroom.jobs.origins import Origins
from postroom.jobs.registry import decode_stored
from postroom.jobs.signature import Arguments
from postroom.jobs.times import is_rq_time
from postroom.workers.claimed import Claimed
from postroom.workers.expected import Expected


class Reading:
    """Reads them by the app's tasks. Used by any thread."""

    def __init__(self, app: Postroom) -> None:
        self._app = app
        self._limit = 10 * app.settings.payload_limit
        """The most bytes that a call may inflate to."""
        self._expected = Expected(app)

    def check(self, job: Claimed) -> None:
        """Is its hash one of a job's?

        Raises:
            DecodeError: no; says why.
        """
        if job.content_type == "foreign":
            raise DecodeError(
                "a key of another type stood where the job's hash belongs; it was put aside as "
                f"{self._app.keys.foreign(job.id)}"
            )
        created_at = (job.created_at or b"").decode(errors="replace")
        if created_at and not is_rq_time(created_at):
            raise DecodeError(f"created_at={created_at[:60]!r} is no date")

    def expected(self, job: Claimed) -> tuple[str, Any, Any] | None:
        """The task's name and the arguments as its handler gets them, where that can be told at once; else None."""
        return self._expected.read(job)

    def plain(self, job: Claimed) -> tuple[str, Any, Any]:
        """The task's name and the arguments as they were sent.

        Raises:
            DecodeError: says what is wrong with it.
            Unavailable: the server was asked for its schema and not reached.
        """
        return decode_stored(self._app.broker, job.data, job.content_type, job.saved_by_rq, self._limit)

    def typed(self, job: Claimed, name: str, args: Any, kwargs: Any) -> tuple[Arguments, Origins | None]:
        """Those arguments as the types of the task's parameters; as they are where nothing is said of them. And what
        they were read from, where that may hold more than they do.

        Raises:
            DecodeError, TooNew, ConfigError: as `Signature.read`.
        """
        task = self._app.tasks.get(name)
        signature = task.prepared.signature if task else None
        if signature is None or job.data is None:
            return (args, kwargs), None
        data = inflate(job.data, self._limit) if job.saved_by_rq else job.data
        found = signature.read_with_origins(data, args, kwargs, job.messages, codec_of(job.content_type))
        self._expected.learn(job, name, signature, args, tuple(kwargs))
        return found
