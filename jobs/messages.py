"""The message: calls on their way, as the fields of their jobs' hashes."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from postroom.jobs.codecs import JSON, Codec, encode_call
from postroom.jobs.errors import Rejected
from postroom.jobs.options import Options, seconds, whole_seconds
from postroom.jobs.signature import Signature
from postroom.jobs.times import rq_time

BATCH_JOBS = 500
BATCH_BYTES = 1_000_000
_ID = 12
"""Bytes of an id. Twice as many hexadecimal digits: unique without asking anybody, short in the job's key and on its
queue's list."""


@dataclass(slots=True)
class Batch:
    """Jobs of one task with the same options, ready to be written by one script."""

    fields: list[Any]
    """What all their hashes have in common: field, value, …"""
    ids: list[str] = field(default_factory=list)
    jobs: list[Any] = field(default_factory=list)
    """For each job its id, the nonce that tells a replay from a rival ('' where the id is ours), its data."""
    size: int = 0
    """Bytes of data."""
    schema: tuple[str, str] | None = None
    """What their data cannot be read without: fingerprint and text."""

    def add(self, job_id: str, nonce: str, data: bytes) -> None:
        """One more job."""
        self.ids.append(job_id)
        self.jobs += (job_id, nonce, data)
        self.size += len(data)

    def carry(self, headers: Mapping[str, str]) -> None:
        """Let all of them bring this to the workers' observers."""
        if headers:
            self.fields += ("p:trace", msgspec.json.encode(headers))


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


def new_nonce() -> str:
    """Tells a call that is sent again from another's."""
    return os.urandom(6).hex()


def batch_of_one(
    name: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    options: Options,
    limit: int,
    at: float | None = None,
    signature: Signature | None = None,
    codec: Codec = JSON,
) -> Batch:
    """One call.

    Args:
        name: the task's.
        limit: the most bytes of the encoded call.
        at: now, in seconds since the epoch.
        signature: what its arguments must be, where that is known.
        codec: what it is written in.

    Raises:
        EncodeError: an argument that the codec cannot carry, or that is not of its parameter's type.
        Rejected: the call is larger than `limit`.
    """
    batch = Batch(_fields(options, rq_time(at), signature, codec), schema=codec.schema)
    data = _data(name, args, kwargs, limit, signature, codec)
    if options.job_id is None:
        batch.add(os.urandom(_ID).hex(), "", data)
    else:
        batch.add(options.job_id, new_nonce(), data)
    return batch


def batch_of_known(name: str, calls: Mapping[str, Sequence[Any]], options: Options) -> Batch:
    """Calls by their ids, each of which always means the same call: whoever repeats one makes no second job."""
    batch = Batch(_fields(options, rq_time()))
    for job_id, args in calls.items():
        batch.add(job_id, job_id, encode_call(name, args, {}))
    return batch


def batches(
    name: str,
    calls: Iterable[Sequence[Any]],
    options: Options,
    limit: int,
    signature: Signature | None = None,
    codec: Codec = JSON,
) -> Iterator[Batch]:
    """Many calls in batches for one script each, bounded by number and bytes, made when asked for."""
    batch: Batch | None = None
    ids = ""
    for args in calls:
        data = _data(name, args, {}, limit, signature, codec)
        if batch and batch.size + len(data) > BATCH_BYTES:
            yield batch
            batch = None
        if batch is None:
            batch = Batch(_fields(options, rq_time(time.time()), signature, codec), schema=codec.schema)
            ids = os.urandom(_ID * BATCH_JOBS).hex()
        start = 2 * _ID * len(batch.ids)
        batch.add(ids[start : start + 2 * _ID], "", data)
        if len(batch.ids) == BATCH_JOBS:
            yield batch
            batch = None
    if batch:
        yield batch


def _data(
    name: str, args: Sequence[Any], kwargs: Mapping[str, Any], limit: int, signature: Signature | None, codec: Codec
) -> bytes:
    data = encode_call(name, args, kwargs, codec)
    if len(data) > limit:
        raise Rejected(
            f"{name}: the call has {len(data):,} bytes, the limit is {limit:,} (payload_limit): "
            "store the large part elsewhere and send its name"
        )
    if signature is not None and codec.schema is None:  # who knows the task's schema has looked
        signature.check(data, args, kwargs, codec)
    return data


def _fields(options: Options, at: str, signature: Signature | None = None, codec: Codec = JSON) -> list[Any]:
    """What the hashes of all jobs with these options have in common, made `at`, as RQ writes it."""
    scheduled = options.run_at is not None or bool(options.delay)
    status = "scheduled" if scheduled else "queued"
    fields: list[Any] = ["origin", options.queue, "status", status, "created_at", at, "p:type", codec.name]
    if signature is not None and signature.stamp:
        fields += ("p:messages", signature.stamp)
    if not scheduled:
        fields += ["enqueued_at", at]
    if scheduled and options.at_front:
        fields += ["enqueue_at_front", 1]
    if options.timeout is not None:
        fields += ["timeout", whole_seconds(options.timeout)]
    if options.result_ttl is not None:
        fields += ["result_ttl", whole_seconds(options.result_ttl)]
    return fields
