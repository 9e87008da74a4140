"""The message: calls on their way, as the fields of their jobs' hashes."""

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from postroom.jobs.codecs import CODECS, JSON, MSGPACK, Codec, encode_call
from postroom.jobs.context import current
from postroom.jobs.errors import EncodeError, InvalidMessage, Rejected
from postroom.jobs.limits import Limits, written
from postroom.jobs.options import Options, check_key, seconds, whole_seconds
from postroom.jobs.origins import Came, Origins
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
    """For each job its id, the nonce that tells a replay from a rival ('' where the id is ours), its data; and where
    they are `keyed` its key and its lock."""
    size: int = 0
    """Bytes of data."""
    schema: tuple[str, str] | None = None
    """What their data cannot be read without: fingerprint and text."""
    keyed: bool = False
    """They may have keys, or locks."""
    scope: str | float = ""
    """For how long their locks hold, as Options.scope says."""
    deadline: float | str = ""
    """When they must have ended, by the server's clock (seconds since the epoch),"""
    within: float | str = ""
    """and in how many seconds from their enqueue; the earlier one counts. '': not bounded by that."""
    parent: str = ""
    """The id of the job that enqueues them."""

    def add(self, job_id: str, nonce: str, data: bytes, key: str = "", lock: str = "") -> None:
        """One more job."""
        self.ids.append(job_id)
        self.jobs += (job_id, nonce, data, key, lock) if self.keyed else (job_id, nonce, data)
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
    limits: Limits = (),
) -> Batch:
    """One call.

    Args:
        name: the task's.
        limit: the most bytes of the encoded call.
        at: now, in seconds since the epoch.
        signature: what its arguments must be, where that is known.
        codec: what it is written in.
        limits: of its task.

    Raises:
        EncodeError: an argument that the codec cannot carry, or that is not of its parameter's type.
        Rejected: the call is larger than `limit`.
        ConfigError: its key cannot be one; or whatever the function raises that makes it.
    """
    data, stamped, codec = _data(name, args, kwargs, limit, signature, codec)
    batch = _batch(options, rq_time(at), codec, stamped, written(limits, args, kwargs) if limits else "")
    key, lock = options.key_of(args, kwargs), _lock(name, args, kwargs, options)
    if options.job_id is None:
        batch.add(os.urandom(_ID).hex(), "", data, key, lock)
    else:
        batch.add(options.job_id, new_nonce(), data, key, lock)
    return batch


def batch_of_known(name: str, calls: Mapping[str, Sequence[Any]], options: Options) -> Batch:
    """Calls by their ids, each of which always means the same call: whoever repeats one makes no second job."""
    batch = _batch(options, rq_time())
    for job_id, args in calls.items():
        batch.add(job_id, job_id, encode_call(name, args, {}), options.key_of(args, {}))
    return batch


def batches(
    name: str,
    calls: Iterable[Sequence[Any]],
    options: Options,
    limit: int,
    signature: Signature | None = None,
    codec: Codec = JSON,
    limits: Limits = (),
) -> Iterator[Batch]:
    """Many calls in batches for one script each, bounded by number and bytes, made when asked for."""
    batch: Batch | None = None
    ids, last = "", None
    for args in calls:
        data, stamped, used = _data(name, args, {}, limit, signature, codec)
        limited = written(limits, args, {}) if limits else ""
        if batch and (batch.size + len(data) > BATCH_BYTES or (stamped, used.schema, limited) != last):
            yield batch
            batch = None
        if batch is None:
            batch = _batch(options, rq_time(time.time()), used, stamped, limited)
            last = stamped, used.schema, limited
            ids = os.urandom(_ID * BATCH_JOBS).hex()
        start = 2 * _ID * len(batch.ids)
        key, lock = (options.key_of(args, {}), _lock(name, args, {}, options)) if batch.keyed else ("", "")
        batch.add(ids[start : start + 2 * _ID], "", data, key, lock)
        if len(batch.ids) == BATCH_JOBS:
            yield batch
            batch = None
    if batch:
        yield batch


def _data(
    name: str, args: Sequence[Any], kwargs: Mapping[str, Any], limit: int, signature: Signature | None, codec: Codec
) -> tuple[bytes, bytes, Codec]:
    """The encoded call, its stamp, and what it is written in."""
    data, stamped = encode_call(name, args, kwargs, codec), signature.stamp if signature else b""
    run = current.get(None)
    sent_on = run is not None and run.origins is not None
    if run is not None and run.origins is not None:
        data, stamped, codec = _whole(name, run.origins, args, kwargs, signature, codec)
    if len(data) > limit:
        raise Rejected(
            f"{name}: the call has {len(data):,} bytes, the limit is {limit:,} (payload_limit): "
            "store the large part elsewhere and send its name"
        )
    if signature is not None and codec.schema is None:  # who knows the task's schema has looked
        signature.check(data, args, kwargs, codec, sent_on=sent_on)
        data = signature.written(data, stamped, codec)
    return data, stamped, codec


def _whole(
    name: str,
    origins: Origins,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    signature: Signature | None,
    codec: Codec,
) -> tuple[bytes, bytes, Codec]:
    """`_data` of a call as this job's handler sends it on: with all that was in what it got, known here or not."""
    laying = origins.laying(codec.name)
    try:
        by_place = [laying.document(value) for value in args]
        by_name = {key: laying.document(value) for key, value in kwargs.items()}
    except RecursionError as error:
        raise EncodeError(f"{name}: the arguments are nested too deeply to be sent on") from error
    stamped = signature.stamp_of(origins, laying, by_place, by_name) if signature else b""
    args = [laying.as_it_came(*pair) for pair in zip(args, by_place, strict=True)]
    kwargs = {key: laying.as_it_came(value, by_name[key]) for key, value in kwargs.items()}
    if signature is not None and codec is not JSON and origins.came.codec == JSON.name:
        args, kwargs = signature.with_bytes(args, kwargs)
    if laying.is_used and codec.beside is not None:
        data, codec = _with_room(name, origins.came, args, kwargs, codec)
        return data, stamped, codec
    return encode_call(name, args, kwargs, codec), stamped, codec


def _with_room(
    name: str, came: Came, args: Sequence[Any], kwargs: Mapping[str, Any], codec: Codec
) -> tuple[bytes, Codec]:
    """A call that holds what came, and what it is written in: where no schema of `codec` has a place for that, another.

    Raises:
        EncodeError: none can carry it.
    """
    beside = codec.beside if came.codec == codec.name else None
    for exact in (True, False) if beside else (False,):
        try:
            one = beside(came.fingerprint, same_task=came.task == name, exact=exact) if beside else codec
            return encode_call(name, args, kwargs, one), one
        except InvalidMessage:
            raise
        except EncodeError:
            continue  # it has no place for a field
    other = CODECS[came.codec] if CODECS[came.codec].of_task is None else MSGPACK
    return encode_call(name, args, kwargs, other), other


def _lock(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: Options) -> str:
    """What no second job may take while this one holds it; '' where it is not unique."""
    if options.unique is None:
        return ""
    if options.unique_by is None:
        return hashlib.blake2b(
            encode_call(name, args, dict(sorted(kwargs.items())), MSGPACK), digest_size=16
        ).hexdigest()
    by = options.unique_by(*args, **kwargs) if callable(options.unique_by) else options.unique_by
    if by is None:
        return ""
    check_key(by, "unique_by")
    return f"{name}:{by}"


def _batch(options: Options, at: str, codec: Codec = JSON, stamped: bytes = b"", limited: str = "") -> Batch:
    keyed = options.key is not None or options.unique is not None
    batch = Batch(_fields(options, at, codec, stamped, limited), schema=codec.schema, keyed=keyed, scope=options.scope)
    if isinstance(options.deadline, datetime):
        batch.deadline = options.deadline.timestamp()
    elif options.deadline is not None:
        batch.within = seconds(options.deadline)
    run = None if options.detached else current.get(None)
    if run is not None:
        batch.parent = run.id
        if run.ends is not None:
            batch.deadline = min(run.ends, batch.deadline or run.ends)
    return batch


def _fields(options: Options, at: str, codec: Codec, stamped: bytes, limited: str) -> list[Any]:
    """What the hashes of all jobs with these options have in common, made `at`, as RQ writes it."""
    scheduled = options.run_at is not None or bool(options.delay)
    status = "scheduled" if scheduled else "queued"
    fields: list[Any] = ["origin", options.queue, "status", status, "created_at", at, "p:type", codec.name]
    if stamped:
        fields += ("p:messages", stamped)
    if limited:
        fields += ("p:limits", limited)
    if not scheduled:
        fields += ["enqueued_at", at]
    if options.at_front and (scheduled or options.key is not None):  # for when its time, or its turn, comes
        fields += ["enqueue_at_front", 1]
    if options.timeout is not None:
        fields += ["timeout", whole_seconds(options.timeout)]
    if options.result_ttl is not None:
        fields += ["result_ttl", whole_seconds(options.result_ttl)]
    return fields
