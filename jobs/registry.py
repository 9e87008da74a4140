"""The registry: schemas that data was written with, kept on the server for whoever has not seen them."""

from typing import Any

from postroom.jobs import calls
from postroom.jobs.broker import Broker
from postroom.jobs.codecs import CODECS, decode_call, learn_schema
from postroom.jobs.errors import DecodeError, UnknownSchema


def look_up(broker: Broker, missing: UnknownSchema) -> None:
    """Take up a schema that this process has not seen.

    Raises:
        DecodeError: it is not kept, or it is none.
        Unavailable: the server was not reached.
    """
    text = broker.run(calls.schema(broker.keys, missing.fingerprint))
    if text is None:
        raise DecodeError(
            f"data is {CODECS[missing.codec].title} of {missing.task!r}, its schema {missing.fingerprint} is not in "
            f"{broker.keys.schemas()}: "
            "enqueue one job of this version there, or import it with its dead letters"
        )
    learn_schema(missing.codec, missing.fingerprint, text)


def decode_stored(
    broker: Broker, data: bytes | None, content_type: str | None, saved_by_rq: bool, limit: int
) -> tuple[str, Any, Any]:
    """`codecs.decode_call`, of what stands on this server.

    Raises:
        DecodeError, Unavailable: as `decode_call` and `look_up`.
    """
    try:
        return decode_call(data, content_type, saved_by_rq, limit)
    except UnknownSchema as missing:
        look_up(broker, missing)
        return decode_call(data, content_type, saved_by_rq, limit)
