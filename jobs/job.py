"""The handle of one job: where it stands, what came of it, and how to stop it."""

import asyncio
import base64
import binascii
import contextlib
import threading
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from postroom.jobs import calls
from postroom.jobs.broker import Broker
from postroom.jobs.codecs import decode_result, inflate
from postroom.jobs.envelope import FIELDS, cloudevent
from postroom.jobs.errors import DecodeError, JobCanceled, JobExpired, JobFailed, ResultExpired, ResultTimeout
from postroom.jobs.joblog import LOG_FIELDS, LogLine, log_lines
from postroom.jobs.progress import Progress
from postroom.jobs.results import Listener, looks

R = TypeVar("R")

_PENDING = object()
_STATUS = ("status", "p:expired")
_FIELDS = (*_STATUS, "result", "p:reason", "exc_info", "worker_name")
_TRACEBACK_LIMIT = 10_000_000


class Job(Generic[R]):
    """A job that was enqueued, here or elsewhere. Cheap: it holds the id, everything else is asked for."""

    __slots__ = ("_broker", "_listener", "duplicate", "id")

    def __init__(self, job_id: str, broker: Broker, listener: Listener, *, duplicate: bool = False) -> None:
        self.id = job_id
        self.duplicate = duplicate
        """It was there already, and is unique: what was enqueued is not a job of its own."""
        self._broker = broker
        self._listener = listener

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def status(self) -> str | None:
        """`scheduled`, `queued`, `started`, `deferred`, `finished`, `failed`, `canceled` or `expired`; None: not on the
        server.
        """
        return _status(self._broker.run(self._read(*_STATUS)))

    async def astatus(self) -> str | None:
        """`status`, for an event loop."""
        return _status(await self._broker.arun(self._read(*_STATUS)))

    def progress(self) -> Progress | None:
        """How far it is, as its handler said last (`current_job.set_progress`); None where it said nothing."""
        return Progress.read(self._broker.run(self._read("p:progress"))["p:progress"])

    async def aprogress(self) -> Progress | None:
        """`progress`, for an event loop."""
        return Progress.read((await self._broker.arun(self._read("p:progress")))["p:progress"])

    def result(self, timeout: float | None = None) -> R:
        """What the handler returned; waits for it.

        Args:
            timeout: seconds; None waits for ever, 0 looks once.

        Raises:
            ResultTimeout: it has not ended in time.
            ResultExpired: the job is not on the server (any more).
            JobFailed: it is a dead letter; the error has its reason and traceback.
            JobCanceled: it was canceled.
            JobExpired: its deadline passed before it began.
            Unavailable: the server cannot be reached.
        """
        value = self._look()
        if value is _PENDING:
            value = self._wait(timeout)
        if value is _PENDING:
            raise ResultTimeout(f"job {self.id} has not ended within {timeout} s: it is {self.status()}")
        return value  # type: ignore[no-any-return]

    async def aresult(self, timeout: float | None = None) -> R:  # noqa: ASYNC109 - the sync method's signature
        """`result`, for an event loop."""
        value = await self._alook()
        if value is _PENDING:
            value = await self._await(timeout)
        if value is _PENDING:
            raise ResultTimeout(f"job {self.id} has not ended within {timeout} s: it is {await self.astatus()}")
        return value  # type: ignore[no-any-return]

    def cloudevent(self) -> dict[str, Any]:
        """The job as a CloudEvent 1.0, in its JSON format (envelope.py). Its data is in clear, secrets too.

        Raises:
            ResultExpired: the job is not on the server (any more).
            DecodeError: its task cannot be read.
            Unavailable: the server cannot be reached.
        """
        return self._event(self._broker.run(self._read("status", *FIELDS)))

    async def acloudevent(self) -> dict[str, Any]:
        """`cloudevent`, for an event loop."""
        return self._event(await self._broker.arun(self._read("status", *FIELDS)))

    def cancel(self, *, children: bool = True) -> bool:
        """See that the job does not run; where it runs already, that its completion is not accepted. So with all that
        it has enqueued, and so on, and has not ended: also where the job itself has.

        Args:
            children: False: the job alone.

        Returns:
            False where it had ended otherwise, or is not on the server.
        """
        before, more = self._broker.run(calls.cancel(self._broker.keys, self.id, children=children))
        while more:  # should this process be killed here, a duty goes on with it
            more = self._broker.run(calls.uproot(self._broker.keys))
        return _was_open(before)

    async def acancel(self, *, children: bool = True) -> bool:
        """`cancel`, for an event loop."""
        before, more = await self._broker.arun(calls.cancel(self._broker.keys, self.id, children=children))
        while more:
            more = await self._broker.arun(calls.uproot(self._broker.keys))
        return _was_open(before)

    def logs(self) -> list[LogLine]:
        """What its handlers have logged with `current_job.log`: the newest lines, 1,000 or 64 KB at most. They are
        numbered from 1: where the first one is not, those before it are no longer kept.
        """
        return log_lines(self._broker.run(self._read(*LOG_FIELDS)))

    async def alogs(self) -> list[LogLine]:
        """`logs`, for an event loop."""
        return log_lines(await self._broker.arun(self._read(*LOG_FIELDS)))

    def delete(self) -> bool:
        """Forget the job wherever it stands, with its result. False where it is not on the server."""
        return self._broker.run(calls.delete(self._broker.keys, self.id))

    async def adelete(self) -> bool:
        """`delete`, for an event loop."""
        return await self._broker.arun(calls.delete(self._broker.keys, self.id))

    def _event(self, found: dict[str, bytes | None]) -> dict[str, Any]:
        if not any(found.values()):
            raise ResultExpired(_missing(self.id))
        return cloudevent(self._broker.keys.prefix, self.id, found)

    def _read(self, *fields: str) -> calls.Call[dict[str, bytes | None]]:
        return calls.read(self._broker.keys, self.id, *fields)

    def _look(self) -> Any:
        found = self._broker.run(self._read(*_FIELDS))
        entry = self._broker.run(calls.last_result(self._broker.keys, self.id)) if _in_stream(found) else {}
        return _read_result(self.id, found, entry)

    async def _alook(self) -> Any:
        found = await self._broker.arun(self._read(*_FIELDS))
        entry = await self._broker.arun(calls.last_result(self._broker.keys, self.id)) if _in_stream(found) else {}
        return _read_result(self.id, found, entry)

    def _wait(self, timeout: float | None) -> Any:
        ended = threading.Event()
        self._listener.add(self.id, ended.set)
        try:
            for pause in looks(timeout):
                ended.wait(pause)
                ended.clear()
                value = self._look()
                if value is not _PENDING:
                    return value
            return _PENDING
        finally:
            self._listener.remove(self.id, ended.set)

    async def _await(self, timeout: float | None) -> Any:  # noqa: ASYNC109
        ended, loop = asyncio.Event(), asyncio.get_running_loop()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits there any more
                loop.call_soon_threadsafe(ended.set)

        self._listener.add(self.id, wake)
        try:
            for pause in looks(timeout):
                try:
                    async with asyncio.timeout(pause):
                        await ended.wait()
                except TimeoutError:
                    pass  # look all the same: the hint may be lost
                ended.clear()
                value = await self._alook()
                if value is not _PENDING:
                    return value
            return _PENDING
        finally:
            self._listener.remove(self.id, wake)


def _status(found: dict[str, bytes | None]) -> str | None:
    status = found["status"]
    if status == b"canceled" and found["p:expired"]:
        return "expired"
    return None if status is None else status.decode()


def _missing(job_id: str) -> str:
    return f"job {job_id} is not on the server: it ended and its time is over, or it was deleted"


def _was_open(before: str | None) -> bool:
    # "canceled" may be our own doing, whose reply was lost.
    return before not in {None, "finished", "failed", "stopped", "expired"}


def _in_stream(found: Mapping[str, bytes | None]) -> bool:
    """May its end be told in RQ's result stream? RQ's workers write there, and what came of RQ's jobs stands there."""
    return found["status"] == b"failed" or (found["status"] == b"finished" and not found["result"])


def _read_result(job_id: str, found: dict[str, bytes | None], entry: Mapping[bytes, bytes]) -> Any:
    match _status(found):
        case None:
            raise ResultExpired(_missing(job_id))
        case "finished":
            if found["result"]:
                return decode_result(found["result"])
            value = entry.get(b"return_value")
            return None if value is None else decode_result(_from_base64(value))
        case "failed" | "stopped":
            raise JobFailed(job_id, *failure_of(found, entry))
        case "canceled":
            raise JobCanceled(f"job {job_id} was canceled")
        case "expired":
            raise JobExpired(f"job {job_id} expired: its deadline had passed before a worker could begin it")
    return _PENDING


def failure_of(found: Mapping[str, bytes | None], entry: Mapping[bytes, bytes]) -> tuple[str, str]:
    """The reason in a line, and the traceback. The stream's entry counts where it is of the worker that ended the job:
    what the hash tells may be of an earlier failure.
    """
    in_stream = entry.get(b"exc_string")
    theirs = in_stream is not None and entry.get(b"worker_name") == found["worker_name"]
    try:
        text = _from_base64(in_stream) if in_stream and theirs else found["exc_info"] or b""
        traceback = inflate(text, _TRACEBACK_LIMIT).decode(errors="replace")
    except DecodeError as error:  # whoever looks at many must see the others
        traceback = f"(its traceback cannot be read: {error})"
    last_line = traceback.strip().rpartition("\n")[2]
    reason = b"" if theirs and found["exc_info"] else found["p:reason"] or b""
    return reason.decode(errors="replace") or last_line, traceback


def _from_base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error as error:
        raise DecodeError(f"RQ's entry is not base64: {error}") from error
