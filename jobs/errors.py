"""Every error that Postroom raises, in one tree.

PostroomError
├── ConfigError          wrong at start or declaration; never raised while jobs run
├── MessageError         the message itself is wrong
│   ├── EncodeError      an argument or a result that cannot be encoded
│   │   └── InvalidMessage  an argument that is not of its parameter's type
│   ├── DecodeError      stored bytes that cannot be decoded
│   │   └── UnknownSchema   they were written with a schema that this process has not seen
│   ├── TooNew           a message of a version that this code may not read
│   └── UnknownTask      a name that this app has no task for
├── BrokerError          the server
│   ├── Unavailable      not reached within the deadline
│   └── ScriptFailed     it refused a script; the message is the server's
├── Rejected             the counter did not take the job
│   ├── DuplicateJob     the job id is taken
│   └── ParentCanceled   the job that enqueues it was canceled
├── NotDead              no dead letter has this id
└── ResultError          no result to give
    ├── ResultTimeout    not yet
    ├── ResultExpired    no longer
    ├── JobCanceled      never: the job was canceled
    ├── JobExpired       never: the job's deadline passed before it began
    └── JobFailed        never: the job is a dead letter

`JobTimeout` and `JobInterrupted` stand apart: they are raised *into* a handler, and derive from `BaseException` so
that an `except Exception` in the handler does not swallow them. What a handler may raise itself is in retry.py.
"""

from collections.abc import Sequence


class PostroomError(Exception):
    """The root: `except PostroomError` catches whatever Postroom raises at its callers."""


class ConfigError(PostroomError, ValueError):
    """A declaration, setting or option is wrong; the text names the value and what to do."""


class MessageError(PostroomError):
    """A message is wrong."""


class EncodeError(MessageError, TypeError):
    """A value cannot be encoded; the text names it, its place and its type."""


class InvalidMessage(EncodeError):
    """A call that is not what the task's signature says; the text names the place: `order.lines[2].price: …`."""


class DecodeError(MessageError, ValueError):
    """Stored bytes are not what their content type says."""


class UnknownSchema(DecodeError):
    """Data was written with a schema that this process has not seen: `codec`, its `fingerprint`, the call's `task`."""

    def __init__(self, codec: str, fingerprint: str, task: str) -> None:
        super().__init__(f"the schema {fingerprint} of {task!r} is not known here")
        self.codec, self.fingerprint, self.task = codec, fingerprint, task

    def __reduce__(self) -> tuple[type["UnknownSchema"], tuple[str, str, str]]:
        """Survive pickling."""
        return UnknownSchema, (self.codec, self.fingerprint, self.task)


class TooNew(MessageError):
    """A message `name` is of a version that this code may not read; code of the version `min_reader` may."""

    def __init__(self, name: str, version: int, min_reader: int, own: int) -> None:
        self.name, self.min_reader = name, min_reader
        self.what = f"message {name} of version {version}, which needs a reader of version {min_reader}"
        self._made_of = name, version, min_reader, own
        super().__init__(f"{self.what}: this worker's code has version {own}")

    def __reduce__(self) -> tuple[type["TooNew"], tuple[str, int, int, int]]:
        """Survive pickling."""
        return TooNew, self._made_of


class UnknownTask(MessageError, LookupError):
    """No task of this `name` is declared or allowed in this app."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"no task {name!r} in this app: declare it with @app.task, add its module to include=[…], "
            "or allow=[…] a plain function that RQ's producers enqueue"
        )
        self.name = name

    def __reduce__(self) -> tuple[type["UnknownTask"], tuple[str]]:
        """Survive pickling."""
        return UnknownTask, (self.name,)


class BrokerError(PostroomError):
    """The server could not do what was asked."""


class Unavailable(BrokerError, ConnectionError):
    """The server was not reached within the deadline; what was asked may be asked again."""


class ScriptFailed(BrokerError):
    """The server refused a script (out of memory, read-only replica, a foreign key of the wrong type)."""


class Rejected(PostroomError):
    """The job was not taken; nothing was written."""


class DuplicateJob(Rejected):
    """A job with this id exists already."""

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"a job with the id {job_id!r} exists already: wait for it, delete() it first, or choose another job_id"
        )
        self.job_id = job_id

    def __reduce__(self) -> tuple[type["DuplicateJob"], tuple[str]]:
        """Survive pickling, so that the error may cross a process pool."""
        return DuplicateJob, (self.job_id,)


class ParentCanceled(Rejected):
    """The job `parent_id`, whose handler enqueues this, was canceled: what it enqueues would be canceled with it."""

    def __init__(self, parent_id: str) -> None:
        super().__init__(
            f"job {parent_id}, which enqueues this, was canceled: "
            "what shall run all the same is enqueued by using(detached=True)"
        )
        self.parent_id = parent_id

    def __reduce__(self) -> tuple[type["ParentCanceled"], tuple[str]]:
        """Survive pickling, so that the error may cross a process pool."""
        return ParentCanceled, (self.parent_id,)


class NotDead(PostroomError, LookupError):
    """No dead letter has this id. `status`: what the job is instead, '' where there is none; `nearest`: ids like it."""

    def __init__(self, job_id: str, status: str = "", nearest: Sequence[str] = ()) -> None:
        what = f"job {job_id} is no dead letter: it is {status}" if status else f"there is no dead letter {job_id}"
        super().__init__(what + (f"; the nearest: {', '.join(nearest)}" if nearest else ""))
        self.job_id, self.status, self.nearest = job_id, status, tuple(nearest)

    def __reduce__(self) -> tuple[type["NotDead"], tuple[str, str, tuple[str, ...]]]:
        """Survive pickling, so that the error may cross a process pool."""
        return NotDead, (self.job_id, self.status, self.nearest)


class ResultError(PostroomError):
    """There is no result to give."""


class ResultTimeout(ResultError, TimeoutError):
    """The job has not ended within the timeout."""


class ResultExpired(ResultError, LookupError):
    """The job is not on the server (any more): it ended and its retention is over, or it was deleted."""


class JobCanceled(ResultError):
    """The job was canceled: it has no result."""


class JobExpired(ResultError):
    """The job's deadline had passed before a worker could begin it: it did not run, and has no result."""


class JobFailed(ResultError):
    """The job is a dead letter. `reason` says why in a line, `traceback` is the handler's, where there is one."""

    def __init__(self, job_id: str, reason: str, traceback: str) -> None:
        super().__init__(f"job {job_id} failed: {reason}")
        self.job_id, self.reason, self.traceback = job_id, reason, traceback

    def __reduce__(self) -> tuple[type["JobFailed"], tuple[str, str, str]]:
        """Survive pickling, so that the error may cross a process pool."""
        return JobFailed, (self.job_id, self.reason, self.traceback)


class JobTimeout(BaseException):
    """The handler ran longer than its timeout (seconds)."""


class JobInterrupted(BaseException):
    """The job was canceled while its handler ran."""
