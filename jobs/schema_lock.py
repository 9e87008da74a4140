"""The schemas of Avro and of Protobuf in `schemas.lock.json`: what calls of this code were ever written with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from postroom.jobs.errors import ConfigError, DecodeError

FILE = "schemas.lock.json"


class _Lock(msgspec.Struct):
    avro: dict[str, Any] = {}
    protobuf: dict[str, Any] = {}


def learn_locked(codec: str, learn: Callable[[bytes], bytes]) -> None:
    """Take up a codec's schemas of the lock in the current folder, where there is one.

    Raises:
        ConfigError: the lock cannot be read, or one of them is none.
    """
    try:
        text = Path(FILE).read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"{FILE} cannot be read: {error}") from error
    try:
        found = msgspec.json.decode(text, type=_Lock)
        for fingerprint, schema in getattr(found, codec).items():
            known = learn(msgspec.json.encode(schema)).hex()
            if known != fingerprint:
                raise ConfigError(f"{FILE}: the schema {fingerprint} is {known}. Take it from the last commit")
    except (msgspec.MsgspecError, DecodeError) as error:
        raise ConfigError(f"{FILE}: {error}. Take it from the last commit") from error
