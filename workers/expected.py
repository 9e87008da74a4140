"""Typed calls that are made as the last one of their task was: they are decoded once, by their types.

Every other is decoded twice: plainly, to see whose it is and how it is made, and by the types that follow from that.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from postroom.jobs.app import Postroom
from postroom.jobs.codecs import JSON
from postroom.jobs.signature import Signature
from postroom.workers.claimed import Claimed

_AFTER_NAME = b'",null,'
"""In a call as our producers write it. What others write with spaces is read the other way."""


class Expected:
    """Knows of each typed task how it was called last. Used by any thread."""

    def __init__(self, app: Postroom) -> None:
        self._app = app
        self._names: dict[bytes, str] = {}
        """By what the calls of a task begin with. Empty where none is typed."""

    def read(self, job: Claimed) -> tuple[str, Sequence[Any], Mapping[str, Any]] | None:
        """The task's name and the arguments as its handler gets them; None: it is not made as expected.

        Raises:
            ConfigError: an annotation names what is not there.
        """
        data = job.data
        if not self._names or data is None or job.content_type != JSON.name or job.saved_by_rq:
            return None
        name = self._names.get(data[: data.find(_AFTER_NAME)])
        task = None if name is None else self._app.tasks.get(name)
        # What no type names a typed decoder passes over: that it is no text would go unseen.
        if task is None or task.signature is None or not (data.isascii() or _is_text(data)):
            return None
        arguments = task.signature.read_expected(data, job.messages)
        return arguments and (task.name, *arguments)

    def learn(self, job: Claimed, name: str, signature: Signature, args: Sequence[Any], names: Sequence[str]) -> None:
        """A job of this task could be read: so many arguments by place, and these by name."""
        if job.data is not None and job.content_type == JSON.name and not job.saved_by_rq:
            signature.expect(len(args), tuple(names))
            self._names[job.data[: job.data.find(_AFTER_NAME)]] = name


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
