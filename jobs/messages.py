"""The message: one call on its way, as the fields of its hash."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from postroom.jobs.codecs import JSON, encode_call
from postroom.jobs.errors import Rejected
from postroom.jobs.options import Options, seconds, whole_seconds
from postroom.jobs.times import rq_time

BATCH_JOBS = 500
BATCH_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Message:
    """One job, ready to be written: its id, the nonce that tells a replay from a rival, and its hash's fields."""

    job_id: str
    nonce: str
    fields: list[Any]
    size: int


@dataclass(frozen=True, slots=True)
class Placement:
    """Where new jobs go: `back` or `front` of the queue, or `scheduled` at `due` (epoch) or in `delay` seconds."""

    where: str
    due: float | str = ""
    delay: float | str = ""

    @classmethod
    def of(cls, options: Options) -> "Placement":
        """What the options ask for."""
        if options.run_at is not None:
            return cls("scheduled", due=options.run_at.timestamp())
        if options.delay is not None and seconds(options.delay) > 0:
            return cls("scheduled", delay=seconds(options.delay))
        return cls("front" if options.at_front else "back")


def new_id() -> str:
    """24 hexadecimal digits: unique without asking anybody, short in the job's key and on its queue's list."""
    return os.urandom(12).hex()


def message(
    name: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: Options, limit: int, at: str | None = None
) -> Message:
    """The message of one call.

    Args:
        name: the task's.
        limit: the most bytes of the encoded call.
        at: now, as RQ writes it.

    Raises:
        EncodeError: an argument that the codec cannot carry.
        Rejected: the call is larger than `limit`.
    """
    data = encode_call(name, args, kwargs)
    if len(data) > limit:
        raise Rejected(
            f"{name}: the call has {len(data):,} bytes, the limit is {limit:,} (payload_limit): "
            "store the large part elsewhere and send its name"
        )
    at = at or rq_time()
    scheduled = options.run_at is not None or bool(options.delay)
    status = "scheduled" if scheduled else "queued"
    fields: list[Any] = ["data", data, "origin", options.queue, "status", status, "created_at", at, "p:type", JSON]
    if not scheduled:
        fields += ["enqueued_at", at]
    if scheduled and options.at_front:
        fields += ["enqueue_at_front", 1]
    if options.timeout is not None:
        fields += ["timeout", whole_seconds(options.timeout)]
    if options.result_ttl is not None:
        fields += ["result_ttl", whole_seconds(options.result_ttl)]
    nonce = ""
    if options.job_id is not None:
        nonce = os.urandom(6).hex()
        fields += ["p:nonce", nonce]
    return Message(options.job_id or new_id(), nonce, fields, len(data))


def batches(
    name: str, calls: Iterable[tuple[Sequence[Any], Mapping[str, Any]]], options: Options, limit: int
) -> Iterator[list[Message]]:
    """Messages of many calls in batches for one script each, bounded by number and bytes, made when asked for."""
    batch: list[Message] = []
    size = 0
    at = ""
    for args, kwargs in calls:
        if not batch:
            at = rq_time(time.time())
        one = message(name, args, kwargs, options, limit, at)
        if batch and size + one.size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += one.size
        if len(batch) == BATCH_JOBS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
