"""A job as a CloudEvent 1.0 (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md).

Nothing of it is stored: each attribute is what a field of RQ's or of ours says already.
"""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from postroom.jobs.codecs import JSON, codec_of, decode_call, inflate
from postroom.jobs.contracts import read_stamp
from postroom.jobs.errors import DecodeError
from postroom.jobs.times import epoch

FIELDS = (
    *("data", "p:type", "success_callback_name", "origin", "created_at", "enqueued_at"),
    *("p:messages", "p:trace"),
)
"""Of a job's hash."""
_HEADERS = ("traceparent", "tracestate", "correlationid", "causationid")
"""What observers send along that has a name among CloudEvents' documented extensions."""
_LIMIT = 10_000_000
"""The most bytes that data of RQ's producers may inflate to."""


def cloudevent(prefix: str, job_id: str, stored: Mapping[str, bytes | None]) -> dict[str, Any]:
    """The event in the form of CloudEvents' JSON format, structured mode.

    Args:
        prefix: RQ's.
        stored: FIELDS of the job's hash.

    Raises:
        DecodeError: its task cannot be read, as where it is pickled: an event has a type.
    """
    kind, data = _text(stored["p:type"]) or None, stored["data"]
    saved_by_rq = kind is None or stored["success_callback_name"] is not None
    name, args, kwargs = decode_call(data, kind, saved_by_rq, _LIMIT)
    if not name:
        raise DecodeError("its task has no name")
    event = {
        "specversion": "1.0",
        "id": job_id,
        "source": f"/{quote(prefix, safe='')}/queue/{quote(_text(stored['origin']), safe='')}",
        "type": name,
        "datacontenttype": codec_of(kind).media_type,
    }
    at = next((text for text in (stored["created_at"], stored["enqueued_at"]) if epoch(text) is not None), None)
    if at is not None:
        event["time"] = _text(at)
    if stored["p:messages"]:
        event["messages"] = _text(stored["p:messages"])
        versions = read_stamp(stored["p:messages"])
        if len(versions) == 1:
            ((message, (version, _)),) = versions.items()
            event["dataschema"] = f"urn:postroom:{quote(message, safe='')}:{version}"
    event |= _headers(stored["p:trace"])
    if codec_of(kind) is JSON:
        return {**event, "data": [name, None, args, kwargs]}
    plain = inflate(data or b"", _LIMIT) if saved_by_rq else data or b""
    return {**event, "data_base64": base64.b64encode(plain).decode()}


def _headers(text: bytes | None) -> dict[str, str]:
    try:
        headers = msgspec.json.decode(text or b"{}", type=dict[str, str])
    except msgspec.MsgspecError:  # as for the workers' observers: what cannot be read is not there
        return {}
    if "causationid" in headers:
        headers.setdefault("correlationid", headers["causationid"])
    return {name: headers[name] for name in _HEADERS if headers.get(name)}


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")
