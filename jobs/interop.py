"""RQ's own code, in the one file that imports it: jobs that RQ's producers made, run by our workers.

What RQ's worker would do around the handler is done here with RQ's own classes; what it would write, our scripts write.
Nothing that stands in Redis is imported: names are looked up among the app's tasks and its allow-list.
"""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, cast
from urllib.request import HTTPRedirectHandler, Request, build_opener

from redis import Redis
from rq.callbacks import execute_failure_callback, execute_success_callback
from rq.job import Job, Retry, _current_job
from rq.rate_limit import RateLimitRegistry
from rq.results import Result
from rq.serializers import resolve_serializer
from rq.timeouts import TimerDeathPenalty

from postroom.jobs.codecs import decode_call, inflate
from postroom.jobs.errors import DecodeError

log = logging.getLogger("postroom.interop")
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class _NoRedirect(HTTPRedirectHandler):
    """A webhook goes where it was addressed: a redirect could lead into the private network."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_opener = build_opener(_NoRedirect)


class RqJob:
    """One job of RQ's producer, with the functions that its names stand for."""

    def __init__(self, job: Job, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self._job = job
        self._function = function
        self.args, self.kwargs = args, kwargs
        self.name: str = getattr(function, "__qualname__", "")

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
        job = Job(job_id, connection=client, serializer="pickle" if pickled else "json")
        try:
            # Not RQ's `data` and `exc_info`: restore() would inflate them without a bound.
            job.restore({**fields, "data": b"", "exc_info": b"", "result": b""})
        except Exception as error:
            raise DecodeError(f"a field of the job's hash cannot be read: {error}") from error
        if pickled:
            _, instance, args, kwargs = name_and_call = _unpickle(data, limit)
            name = (
                name_and_call[0] if instance is None else f"{type(instance).__module__}.{type(instance).__qualname__}"
            )
            function = find(name) if instance is None else getattr(instance, name_and_call[0])
        else:
            name, args, kwargs = decode_call(data, None, saved_by_rq=True, limit=limit)
            function = find(name)
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

    def call(self) -> Any:
        """Run the handler, with `rq.get_current_job()` in place."""
        token = _current_job.set(self._job)
        try:
            return self._function(*self.args, **self.kwargs)
        finally:
            _current_job.reset(token)

    def asks_for_retry(self, value: Any) -> tuple[float, bool, dict[str, Any]] | None:
        """A handler that returned rq.Retry: `(delay, to the front, fields to store)`; None where it returned a result.

        Raises:
            RuntimeError: it asked more often than its own `max` allows.
        """
        if not isinstance(value, Retry):
            return None
        made = self._job.number_of_retries or 0
        if made >= value.max:
            raise RuntimeError(f"the handler returned {value!r} after {made} retries")
        delay = Retry.get_interval(made, value.intervals)
        return delay, value.enqueue_at_front, {"number_of_retries": made + 1}

    def may_retry(self) -> tuple[float, bool, dict[str, Any]] | None:
        """A handler that raised, of a job enqueued with rq.Retry: as `asks_for_retry`; None where none are left."""
        if not self._job.should_retry:
            return None
        left = cast("int", self._job.retries_left) - 1
        return self._job.get_retry_interval(), self._job.enqueue_at_front_on_retry, {"retries_left": left}

    def succeeded(self, value: Any) -> None:
        """Run the success callback, which may raise, then the webhooks, which do not.

        Both before the completion is written: a worker that dies in between runs the job again, and they are called.
        """
        self._job.ended_at = datetime.now(UTC)
        execute_success_callback(self._job, TimerDeathPenalty, value)
        self._send_webhooks("finished", None)

    def failed(self, exc_info: ExcInfo, traceback: str) -> None:
        """Run the failure callback, which may raise, then the webhooks, which do not.

        Not for a failure that is retried.
        """
        self._job.ended_at = datetime.now(UTC)
        try:
            execute_failure_callback(self._job, TimerDeathPenalty, *exc_info)
        finally:
            self._send_webhooks("failed", traceback)

    def failed_and_retried(self, exc_info: ExcInfo) -> None:
        """RQ calls the failure callback for every failure, webhooks only for the last."""
        execute_failure_callback(self._job, TimerDeathPenalty, *exc_info)

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
        """Let the next job of its rq.RateLimit go on. A slot that a dead worker leaves is freed by RQ's maintenance."""
        if self._job.has_rate_limit:
            RateLimitRegistry.from_job(self._job).release_and_enqueue(self._job.id)

    def _send_webhooks(self, status: str, traceback: str | None) -> None:
        for webhook in self._job.webhooks:
            if webhook.job_status != status:
                continue
            headers = dict(webhook.headers or {})
            body = None
            if webhook.method == "POST":
                body = json.dumps(webhook.get_payload(self._job, exc_string=traceback)).encode()
                headers = {"Content-Type": "application/json", **headers}
            request = Request(webhook.url, data=body, headers=headers, method=webhook.method)  # noqa: S310
            try:
                with _opener.open(request, timeout=webhook.timeout):
                    pass
            except OSError as error:  # URLError and HTTPError are OSErrors
                log.warning("job %s: the webhook to %s was not taken: %s", self._job.id, webhook.url, error)


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


def _unpickle(data: bytes, limit: int) -> tuple[str, Any, Any, Any]:
    try:
        call = resolve_serializer("pickle").loads(inflate(data, limit))
        name, instance, args, kwargs = call
        return name, instance, args, kwargs
    except DecodeError:
        raise
    except Exception as error:
        raise DecodeError(f"not a pickled call: {type(error).__name__}: {error}") from error
