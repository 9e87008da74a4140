"""RQ's own code, in the one file that imports it: jobs that RQ's producers made, run by our workers.

What RQ's worker would do around the handler is done here with RQ's own classes; what it would write, our scripts write.
Nothing that stands in Redis is imported: names are looked up among the app's tasks and its allow-list.
"""

import inspect
import json
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any
from urllib.request import HTTPRedirectHandler, Request, build_opener

from redis import Redis
from redis.exceptions import RedisError
from rq.callbacks import execute_failure_callback, execute_success_callback
from rq.job import Job, Retry, _current_job
from rq.rate_limit import RateLimitRegistry
from rq.results import Result
from rq.serializers import resolve_serializer
from rq.timeouts import TimerDeathPenalty
from rq.webhook import Webhook

from postroom.jobs.codecs import decode_call, inflate
from postroom.jobs.errors import DecodeError
from postroom.jobs.secrets import Veil
from postroom.jobs.times import MOST

log = logging.getLogger("postroom.interop")
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]
Again = tuple[float, bool, dict[str, Any]]
"""A retry: delay in seconds, whether it goes to the front, fields to store."""


class _NoRedirect(HTTPRedirectHandler):
    """A webhook goes where it was addressed: a redirect could lead into the private network."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_opener = build_opener(_NoRedirect)
_NOBODY: Any = object()
"""A connection that is not used."""

_FRONT: dict[bool, dict[str, Any]] = {False: {}, True: {"enqueue_at_front": 1}}
"""What tells the duty of promoting to put a retry that is due in front."""


class RqJob:
    """One job of RQ's producer, with the functions that its names stand for."""

    def __init__(self, job: Job, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self._job = job
        self._function = function
        self.args, self.kwargs = args, kwargs
        self.name = job.func_name or ""

    @classmethod
    def load(
        cls,
        job_id: str,
        stored: Mapping[bytes, bytes],
        client: Redis,
        find: Callable[[str], Callable[..., Any]],
        *,
        pickled: bool,
        limit: int,
    ) -> "RqJob":
        """Read the hash of an RQ job.

        Args:
            client: the connection that callbacks get.
            find: the function of a name; raises UnknownTask where it may not run.
            pickled: this queue's producers use RQ's pickle serializer, and the app has opted in.
            limit: the most bytes that its data may inflate to.

        Raises:
            DecodeError: something in it cannot be read.
            UnknownTask: its function or one of its callbacks may not run.
        """
        fields = {key.decode(errors="replace"): value for key, value in stored.items()}
        data = fields.get("data")
        if data is None:
            raise DecodeError("the job's hash has no data")
        text = inflate(data, limit)
        try:
            job = Job(job_id, connection=client, serializer="pickle" if pickled else "json")
            # Not RQ's `data` and `exc_info`: restore() would inflate them without a bound.
            job.restore({**fields, "data": b"", "exc_info": b"", "result": b""})
            _check_times(job)
        except Exception as error:
            raise DecodeError(f"a field of the job's hash cannot be read: {error}") from error
        name, method, args, kwargs = _unpickle(text) if pickled else _unjson(text, limit)
        function = method or find(name)
        task = getattr(function, "task", None)
        if not pickled and task is not None and task.signature is not None:
            typed, kwargs = task.signature.read(text, args, kwargs)
            args = list(typed)  # as RQ has them
        job.data = text  # what job.save() writes back, if the handler calls it
        job._func_name, job._instance, job._args, job._kwargs = name, None, args, kwargs
        for attribute in ("_success_callback", "_failure_callback"):
            callback_name = getattr(job, f"{attribute}_name")
            if callback_name:
                setattr(job, attribute, find(callback_name))
        return cls(job, function, args, kwargs)

    @property
    def timeout(self) -> float | None:
        """Seconds that it may run, where RQ's producer said so; -1 for ever."""
        return self._job.timeout

    @property
    def result_ttl(self) -> int | None:
        """Seconds that its result is kept, where RQ's producer said so."""
        return self._job.result_ttl

    @property
    def failure_ttl(self) -> int | None:
        """Seconds that its failure is kept, where RQ's producer said so."""
        return self._job.failure_ttl

    def veil(self, names: Collection[str]) -> Veil:
        """What hides the secrets of its call."""
        return Veil(self._function, self.args, self.kwargs, names)

    def call(self) -> Any:
        """Run the handler, with `rq.get_current_job()` in place. Of a coroutine function: what is to be awaited."""
        self._job.started_at = datetime.now(UTC)
        token = _current_job.set(self._job)
        try:
            value = self._function(*self.args, **self.kwargs)
        finally:
            _current_job.reset(token)
        return self._awaited(value) if inspect.iscoroutine(value) else value

    async def _awaited(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        _current_job.set(self._job)  # for this event loop's context only
        return await coroutine

    def asks_for_retry(self, value: Any) -> Again | None:
        """A handler that returned rq.Retry; None where it returned a result.

        Raises:
            RuntimeError: it asked more often than its own `max` allows.
        """
        if not isinstance(value, Retry):
            return None
        made = self._job.number_of_retries or 0
        if made >= value.max:
            raise RuntimeError(f"the handler returned {value!r} after {made} retries")
        front = bool(value.enqueue_at_front or self._job.enqueue_at_front_on_retry)
        return Retry.get_interval(made, value.intervals), front, {"number_of_retries": made + 1, **_FRONT[front]}

    @property
    def had_retries(self) -> bool:
        """Was it enqueued with rq.Retry?"""
        return self._job.retries_left is not None

    def may_retry(self) -> Again | None:
        """A handler that raised, of a job enqueued with rq.Retry; None where no retries are left."""
        if not self._job.should_retry:
            return None
        delay = self._job.get_retry_interval() if self._job.retry_intervals else 0
        front = self._job.enqueue_at_front_on_retry
        return delay, front, {"retries_left": (self._job.retries_left or 0) - 1, **_FRONT[front]}

    def succeeded(self, value: Any) -> None:
        """Run the success callback, which may raise, then the webhooks, which do not.

        Both before the completion is written: a worker that dies in between runs the job again, and they are called.
        """
        self._job.ended_at = datetime.now(UTC)
        execute_success_callback(self._job, TimerDeathPenalty, value)
        self._send_webhooks("finished", None)

    def failed(self, exc_info: ExcInfo, traceback: str, *, for_good: bool) -> None:
        """Run the failure callback, which may raise; then, where it is not tried again, the webhooks, which do not."""
        self._job.ended_at = datetime.now(UTC)
        try:
            execute_failure_callback(self._job, TimerDeathPenalty, *exc_info)
        finally:
            if for_good:
                self._send_webhooks("failed", traceback)

    def entry(self, worker: str, token: int, started: float, **outcome: Any) -> str:
        """The entry of RQ's result stream, as the JSON list of fields that the scripts take."""
        kind = Result.Type.FAILED if "exc_string" in outcome else Result.Type.SUCCESSFUL
        result = Result(
            self._job.id,
            kind,
            connection=self._job.connection,
            serializer=self._job.serializer,
            worker_name=worker,
            execution_id=str(token),
            execution_started_at=datetime.fromtimestamp(started, UTC),
            execution_ended_at=datetime.now(UTC),
            **outcome,
        )
        return json.dumps([str(part) for pair in result.serialize().items() for part in pair])

    def release_rate_limit(self) -> None:
        """Let the next job of its rq.RateLimit go on, where this one was not put back on its queue.

        A place that is not released, because the worker or the server dies here, is freed by RQ's maintenance.
        """
        if not self._job.has_rate_limit:
            return
        try:
            RateLimitRegistry.from_job(self._job).release_stale_and_enqueue(self._job.id)
        except RedisError as error:
            log.warning("job %s: its place under the rate limit was not released: %s", self._job.id, error)

    def _send_webhooks(self, status: str, traceback: str | None) -> None:
        for webhook in self._job.webhooks:
            if webhook.job_status == status:
                try:
                    self._send(webhook, traceback)
                except Exception as error:  # whatever is wrong with a webhook, the job is not
                    log.warning("job %s: the webhook to %s was not taken: %s", self._job.id, webhook.url, error)

    def _send(self, webhook: Webhook, traceback: str | None) -> None:
        headers = dict(webhook.headers or {})
        body = None
        if webhook.method == "POST":
            body = json.dumps(webhook.get_payload(self._job, exc_string=traceback)).encode()
            headers = {"Content-Type": "application/json", **headers}
        # rq.webhook.Webhook has checked the scheme: http or https.
        request = Request(webhook.url, data=body, headers=headers, method=webhook.method)  # noqa: S310
        with _opener.open(request, timeout=webhook.timeout):
            pass


def unreadable_fields(stored: Mapping[bytes, bytes]) -> list[bytes]:
    """The fields of a job's hash that would stop RQ's readers."""
    found = []
    for name, value in stored.items():
        job = Job("unread", connection=_NOBODY, serializer="json")
        try:
            job.restore({b"data": b"", name: b"" if name == b"data" else value})
        except Exception:
            found.append(name)
    return found


def failure_entry(job_id: str, client: Redis, worker: str, traceback: str) -> str:
    """The entry of RQ's result stream for a job that could not even be read."""
    result = Result(
        job_id,
        Result.Type.FAILED,
        connection=client,
        serializer=resolve_serializer("json"),
        exc_string=traceback,
        worker_name=worker,
    )
    return json.dumps([str(part) for pair in result.serialize().items() for part in pair])


Call = tuple[str, Callable[..., Any] | None, Any, Any]
"""Name, method (None where the name is a function's), args, kwargs."""


def _unjson(text: bytes, limit: int) -> Call:
    name, args, kwargs = decode_call(text, None, saved_by_rq=False, limit=limit)
    return name, None, args, kwargs


def _unpickle(text: bytes) -> Call:
    try:
        name, instance, args, kwargs = resolve_serializer("pickle").loads(text)
        return str(name), None if instance is None else getattr(instance, name), args, kwargs
    except Exception as error:
        raise DecodeError(f"not a pickled call: {type(error).__name__}: {error}") from error


def _check_times(job: Job) -> None:
    """What is no time must fail here, not in a script that settles this job together with others."""
    for seconds in (job.timeout, job.result_ttl, job.failure_ttl):
        if seconds is not None and not -MOST <= seconds <= MOST:
            raise ValueError(f"{seconds} seconds are too many")
    for intervals in (job.retry_intervals, job.repeat_intervals):
        if intervals is not None and not (isinstance(intervals, list) and {*map(type, intervals)} <= {int, float}):
            raise ValueError(f"{intervals!r} is not a list of seconds")
