"""The schemas that this checkout writes calls with, for the lock."""

import json
from typing import Any

from postroom.jobs.app import Postroom


def schemas(app: Postroom) -> dict[str, dict[str, Any]]:
    """Codec → fingerprint → schema of each task whose calls are written by one.

    Raises:
        ConfigError: a task's types are none of its codec's.
    """
    found: dict[str, dict[str, Any]] = {}
    for task in app.tasks.values():
        codec = task.prepared.codec if task.signature is not None else None
        if codec is not None and codec.schema is not None:
            fingerprint, text = codec.schema
            found.setdefault(codec.name, {})[fingerprint] = json.loads(text)
    return found
