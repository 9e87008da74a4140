"""The deploy gate: would this checkout's tasks take every job that is on a server?"""

import inspect
import json
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from postroom.contracts.payloads import Payload, payloads, ticks
from postroom.jobs.app import Postroom
from postroom.jobs.broker import Broker
from postroom.jobs.codecs import codec_of, inflate
from postroom.jobs.errors import DecodeError, MessageError
from postroom.jobs.failure import Cause
from postroom.jobs.registry import decode_stored
from postroom.jobs.secrets import Veil, hidden, mask, names_of

MOST_PROBLEMS = 1000
"""Kinds of problems that are told apart; whatever else there is counts as one more."""
_SHOWN = 300
_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_UNREADABLE_BEFORE = frozenset({Cause.UNDECODABLE.encode(), Cause.UNKNOWN_TASK.encode()})
_QUOTED = re.compile(r"b?'[^']*'|b?\"[^\"]*\"|\d+")
"""What differs from job to job in the text of an error."""


@dataclass
class Problem:
    """Jobs of one task that this checkout would not take, all for the same reason."""

    task: str
    """'' where that cannot be read."""
    problem: str
    """Of the sample."""
    sample: str
    """The id of one of them."""
    queue: str
    arguments: str = ""
    """The sample's, as JSON, the secret ones masked."""
    count: int = 0
    states: dict[str, int] = field(default_factory=dict)
    """How many in which state."""


@dataclass
class Findings:
    """What the gate has seen."""

    looked: int = 0
    """Jobs that were held against their task."""
    gone: int = 0
    """Ids without a job, or of a canceled one."""
    pickled: int = 0
    """Jobs of RQ's pickle serializer, which are not opened here: that would run their code."""
    dead_before: int = 0
    """Dead letters that died of not being readable, and still are not: no deploy changes that."""
    problems: list[Problem] = field(default_factory=list)


class Gate:
    """The tasks of one app, as a test of payloads."""

    def __init__(self, app: Postroom) -> None:
        self._limit = 10 * app.settings.payload_limit
        self._names = names_of(app.settings.secret_names)
        self._pickled = app.pickle_queues
        self._functions: dict[str, Callable[..., Any]] = {
            **app.allowed,
            **{name: task.function for name, task in app.tasks.items()},
        }
        self._signatures = {name: inspect.signature(function) for name, function in self._functions.items()}
        self._schedules = frozenset(app.schedules)
        self._typed = {name: task.signature for name, task in app.tasks.items()}

    def inspect(self, broker: Broker, told: Callable[[int], None], queues: Collection[str] = ()) -> Findings:
        """Hold every job of a server, and what its schedules will call, against the tasks.

        Args:
            told: called with the number of jobs of each page.
            queues: look at these only; at all, where none is given.

        Raises:
            Unavailable: the server was not reached.
        """
        return self._judge(broker, chain(payloads(broker, told, queues), ticks(broker, self._schedules, queues)))

    def _judge(self, broker: Broker, found: Iterable[Payload]) -> Findings:
        findings = Findings()
        problems: dict[tuple[str, str], Problem] = {}
        for payload in found:
            if payload.data is None or payload.status == b"canceled":
                findings.gone += 1
                continue
            if payload.content_type is None and payload.queue in self._pickled:
                findings.pickled += 1
                continue
            findings.looked += 1
            call: tuple[str, Any, Any] = ("", [], {})
            try:
                call = decode_stored(broker, payload.data, payload.kind, payload.saved_by_rq, self._limit)
                self._bind(payload, *call)
            except MessageError as error:  # of a message that is newer than this checkout, too
                if payload.cause in _UNREADABLE_BEFORE and payload.state == "dead":
                    findings.dead_before += 1
                else:
                    self._note(problems, payload, call, str(error))
        findings.problems = sorted(problems.values(), key=lambda problem: (-problem.count, problem.task))
        return findings

    def _bind(self, payload: Payload, name: str, args: Any, kwargs: Any) -> None:
        signature = self._signatures.get(name)
        if signature is None:
            raise DecodeError("no task of this name is declared or allowed")
        typed = self._typed.get(name)
        if typed is not None:
            data = payload.data or b""
            data = inflate(data, self._limit) if payload.saved_by_rq else data
            # As a worker does, also of what RQ's producers sent.
            typed.read(data, args, kwargs, payload.messages, codec_of(payload.kind))
        else:
            try:
                signature.bind(*args, **kwargs)
            except TypeError as error:  # in Python's words
                raise DecodeError(str(error)) from None

    def _note(
        self, problems: dict[tuple[str, str], Problem], payload: Payload, call: tuple[str, Any, Any], text: str
    ) -> None:
        task = call[0]
        key = (task, _QUOTED.sub("…", text))
        if key not in problems and len(problems) >= MOST_PROBLEMS:
            key = ("", "…")
            text = f"other problems: more than {MOST_PROBLEMS:,} kinds were met"
        if key not in problems:
            function = self._functions.get(task)
            veiled = Veil(function, call[1], call[2], self._names)(text)[:_SHOWN]
            problems[key] = Problem(task, veiled, payload.id, payload.queue, self._arguments(call))
        problem = problems[key]
        problem.count += 1
        problem.states[payload.state] = problem.states.get(payload.state, 0) + 1

    def _arguments(self, call: tuple[str, Any, Any]) -> str:
        name, args, kwargs = call
        if not name:
            return ""
        signature = self._signatures.get(name)
        secret = hidden(self._functions.get(name), args, kwargs, self._names)
        if signature is not None:  # what it has no parameter for may be anything
            places = [one for one in signature.parameters.values() if one.kind in _BY_PLACE]
            secret += [*range(len(places), len(args)), *(kwargs.keys() - signature.parameters.keys())]
        shown = mask(args, kwargs, secret, self._names)
        return json.dumps(dict(zip(("args", "kwargs"), shown, strict=True)), default=str)[:_SHOWN]
