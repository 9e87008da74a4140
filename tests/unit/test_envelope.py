"""The envelope: a job's hash as a CloudEvent, held against the CloudEvents project's own Python package."""

import json
import pickle
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.http import HTTPMessage, from_http, to_structured
from cloudevents.core.formats.json import JSONFormat

from postroom.jobs.codecs import CODECS, encode_call
from postroom.jobs.envelope import FIELDS, cloudevent
from postroom.jobs.errors import DecodeError
from postroom.jobs.signature import Signature

AT = "2026-11-26T07:17:09.000001Z"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def send(scan: bytes) -> None:
    """The task."""


SIGNATURE = Signature.of("shop.send", send)


def made(**fields: bytes | str | None) -> dict[str, Any]:
    given: dict[str, bytes | str | None] = {
        "data": b'["shop.send",null,[42],{"a":null}]',
        "p:type": "json",
        "origin": "mail",
        "created_at": AT,
    }
    given.update({name.replace("p_", "p:"): value for name, value in fields.items()})
    named = {name: given.get(name) for name in FIELDS}
    stored = {name: value.encode() if isinstance(value, str) else value for name, value in named.items()}
    return cloudevent("rq", "job-1", stored)


def validated(event: dict[str, Any]) -> BaseCloudEvent:
    """The package's reading of it, which it has validated; written and read again it is the same."""
    read = JSONFormat().read(None, json.dumps(event))
    assert json.loads(JSONFormat().write(read)) == event
    over_http: HTTPMessage = to_structured(read, JSONFormat())
    assert from_http(over_http, JSONFormat()).get_attributes() == read.get_attributes()
    return read


def test_attributes_are_derived_from_what_the_hash_says() -> None:
    event = made(p_trace=json.dumps({"traceparent": PARENT, "sentry-trace": "x", "causationid": "job-0"}))
    assert event == {
        "specversion": "1.0",
        "id": "job-1",
        "source": "/rq/queue/mail",
        "type": "shop.send",
        "datacontenttype": "application/json",
        "time": AT,
        "traceparent": PARENT,
        "correlationid": "job-0",
        "causationid": "job-0",
        "data": ["shop.send", None, [42], {"a": None}],
    }
    read = validated(event)
    assert read.get_time() == datetime(2026, 11, 26, 7, 17, 9, 1, tzinfo=UTC)
    assert read.get_data() == event["data"]


@pytest.mark.parametrize("codec", [name for name in CODECS if name != "json"])
def test_other_codecs_travel_as_bytes(codec: str) -> None:
    known = CODECS[codec]
    data = encode_call("shop.send", [b"\x00"], {}, known.of_task("shop.send", SIGNATURE) if known.of_task else known)
    read = validated(made(data=data, p_type=codec))
    assert (read.get_data(), read.get_datacontenttype()) == (data, CODECS[codec].media_type)


def test_the_version_of_a_message_is_its_schema() -> None:
    one = made(p_messages='{"order.placed":[3,2]}')
    assert (one["dataschema"], one["messages"]) == ("urn:postroom:order.placed:3", '{"order.placed":[3,2]}')
    validated(one)
    several = made(p_messages='{"customer":[1,1],"order.placed":[3,2]}')
    assert "dataschema" not in several
    validated(several)
    with pytest.raises(DecodeError, match="p:messages="):
        made(p_messages="rubbish")


def test_what_nobody_told_is_left_out() -> None:
    bare = made(origin=None, created_at=None)
    assert bare["source"] == "/rq/queue/"
    assert "time" not in bare
    assert made(created_at="yesterday", enqueued_at=AT)["time"] == AT
    assert "traceparent" not in made(p_trace=b"\xff")
    assert made(origin="a b/ü")["source"] == "/rq/queue/a%20b%2F%C3%BC"


def test_jobs_of_rqs_producers() -> None:
    zipped = made(data=zlib.compress(b'["shop.send",null,[],{}]'), p_type=None)
    assert zipped == made(data=b'["shop.send",null,[],{}]', p_type=None)
    assert json.dumps(validated(zipped).get_data()) == '["shop.send", null, [], {}]'
    with pytest.raises(DecodeError, match="data is not JSON"):
        made(data=pickle.dumps(("shop.send", None, (), {})), p_type=None)
    with pytest.raises(DecodeError, match="its task has no name"):
        made(data=b'["",null,[],{}]')
