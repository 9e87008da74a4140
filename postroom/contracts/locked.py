"""The schemas of Avro in the lock: what this checkout writes with, and what was ever written with."""

import json
from pathlib import Path
from typing import Any

from postroom.contracts.lock import FILE, Lock
from postroom.jobs.app import Postroom
from postroom.jobs.codecs import learn_schema
from postroom.jobs.errors import ConfigError, DecodeError


def schemas(app: Postroom) -> dict[str, Any]:
    """Fingerprint → schema of each task whose calls are written in Avro.

    Raises:
        ConfigError: a task's types are none of Avro's.
    """
    typed = [task.prepared.codec.schema for task in app.tasks.values() if task.signature is not None]
    return {fingerprint: json.loads(text) for fingerprint, text in filter(None, typed)}


def learn(app: Postroom) -> None:
    """Take up those of the lock in the current folder, where a task of the app is written in Avro.

    Raises:
        ConfigError: the lock cannot be read, or one of them is none.
    """
    if not schemas(app):
        return
    for fingerprint, schema in Lock.read(Path(FILE)).avro.items():
        try:
            learn_schema(fingerprint, json.dumps(schema).encode())
        except DecodeError as error:
            raise ConfigError(f"{FILE}: {error}. Take it from the last commit") from error
